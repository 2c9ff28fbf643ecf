"""The invisible mark: unseen, read back exactly after what platforms do, and never found where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ffmpeg

from memegen.animator import load_animator
from memegen.base.errors import InputError
from memegen.base.threads import AHEAD
from memegen.media.video import Video, open_video, write_video
from memegen.provenance import watermark
from memegen.provenance.watermark import SMALLEST, Detection, Watermark, detect, embed

NUMBER = 0xC0FFEE42
EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2"
LOSSY = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-crf")
GIF = "fps=10,scale=320:-2,split[a][b];[a]palettegen[p];[b][p]paletteuse"


@pytest.fixture(scope="module")
def frames(portrait: np.ndarray, singer: Video) -> list[np.ndarray]:
    """Half a second of the portrait as it sings, 480 x 562."""
    photo = np.asarray(cv2.resize(portrait, (480, 562), interpolation=cv2.INTER_AREA))
    return list(islice(load_animator("mesh").animate(photo, singer), 13))


@pytest.fixture(scope="module")
def marked(frames: list[np.ndarray]) -> list[np.ndarray]:
    return list(embed(frames, NUMBER))


@pytest.fixture(scope="module")
def clip(marked: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The marked frames as the pipeline writes them, shown twice to last a second."""
    return write_video(tmp_path_factory.mktemp("marked") / "meme.mp4", [*marked, *marked[::-1]], fps=25).path


def looked_at(path: Path) -> Detection | None:
    return detect(islice(open_video(path).frames(), 0, None, 3))


def psnr(frame: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((frame.astype(float) - other) ** 2)))


# Marking


def test_the_mark_is_faint(frames: list[np.ndarray], marked: list[np.ndarray]) -> None:
    assert len(marked) == len(frames)
    for before, after in zip(frames, marked, strict=True):
        assert after.dtype == np.uint8
        assert after.shape == before.shape
        assert after is not before
        assert 42 <= psnr(before, after) < 50


@pytest.mark.parametrize("size", [(256, 256), (161, 300), (1920, 1080), (1080, 1921), (719, 1283)])
def test_the_mark_is_faint_at_every_size_and_on_anything(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
    slope = np.broadcast_to(np.linspace(0, 255, size[0])[None, :, None], noise.shape).astype(np.uint8)
    mark = Watermark(NUMBER, size)
    for frame in (noise, slope, np.zeros_like(noise), np.full_like(noise, 255), cv2.GaussianBlur(noise, (0, 0), 3)):
        assert psnr(frame, mark.apply(frame)) >= 42


def test_nothing_turns_over_at_black_and_white() -> None:
    mark = Watermark(NUMBER, (320, 240))
    for grey in (0, 1, 254, 255):
        frame = np.full((240, 320, 3), grey, np.uint8)
        assert np.abs(mark.apply(frame).astype(int) - grey).max() <= 4


def test_flat_parts_change_less_than_texture() -> None:
    frame = np.full((1080, 1080, 3), 120, np.uint8)
    frame[:, 540:] = np.random.default_rng(2).integers(60, 180, (1080, 540, 1), np.uint8)
    change = np.abs(Watermark(NUMBER, (1080, 1080)).apply(frame).astype(int) - frame)
    assert change[:, :500].max() <= 2
    assert change[:, 580:].mean() > 1.5 * change[:, :500].mean()


def test_frames_of_any_layout_are_marked_alike(frames: list[np.ndarray], marked: list[np.ndarray]) -> None:
    mark = Watermark(NUMBER, (480, 562))
    assert np.array_equal(mark.apply(frames[0]), marked[0])
    turned = np.ascontiguousarray(frames[0][..., ::-1])[..., ::-1]
    assert np.array_equal(mark.apply(turned), marked[0])
    fixed = frames[0].copy()
    fixed.setflags(write=False)
    assert np.array_equal(mark.apply(fixed), marked[0])


def test_frames_are_marked_one_by_one(frames: list[np.ndarray]) -> None:
    taken = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in frames:
            taken += 1
            yield frame

    marking = embed(stream(), NUMBER)
    assert taken == 0
    next(marking)
    assert taken <= AHEAD + 1
    assert list(embed([], NUMBER)) == []


def test_tiny_frames_pass_unmarked() -> None:
    frame = np.random.default_rng(3).integers(0, 256, (SMALLEST - 1, 400, 3), np.uint8)
    [passed] = embed([frame], NUMBER)
    assert np.array_equal(passed, frame)
    assert passed is not frame
    assert detect([frame]) is None
    assert detect([np.zeros((1, 1, 3), np.uint8)]) is None


@pytest.mark.parametrize("payload", [-1, 2**32])
def test_a_payload_has_32_bits(payload: int) -> None:
    with pytest.raises(InputError, match="from 0 to 4294967295"):
        Watermark(payload, (320, 240))


def test_frames_have_to_be_frames_of_one_size() -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    with pytest.raises(InputError, match="320 x 200, the first 320 x 240"):
        list(embed([frame, frame[:200]], NUMBER))
    for wrong in (frame[..., 0], frame.astype(np.float32), frame[:0]):
        with pytest.raises(InputError, match="uint8 RGB"):
            list(embed([wrong], NUMBER))
        with pytest.raises(InputError, match="uint8 RGB"):
            detect([wrong])
    with pytest.raises(InputError, match="0 x 240"):
        Watermark(NUMBER, (0, 240))


# Reading it back


@pytest.mark.parametrize("payload", [0, 1, 0x80000000, 2**32 - 1])
def test_every_payload_comes_back(frames: list[np.ndarray], payload: int) -> None:
    found = detect(embed(frames[:3], payload))
    assert found is not None
    assert found.payload == payload
    assert found.frames == 3
    assert found.false_alarm < 1e-12
    assert (found.scale, found.offset, found.mirrored) == ((1, 1), (0, 0), False)


@pytest.mark.parametrize("size", [(256, 256), (1920, 1080), (720, 1280)])
def test_one_frame_of_any_size_is_enough(portrait: np.ndarray, size: tuple[int, int]) -> None:
    photo = np.asarray(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA))
    found = detect(embed([photo], NUMBER))
    assert found is not None
    assert found.payload == NUMBER


TREATMENTS = {
    "CRF 23": ("null", "23", 1),
    "CRF 28": ("null", "28", 1),
    "CRF 33": ("null", "33", 1),
    "larger": ("scale=-2:720", "23", 1),
    "half as large": ("scale=240:-2", "23", 1),
    "mirrored": ("hflip", "23", 1),
    "cropped by 5 %": ("crop=iw*0.95:ih*0.95:iw*0.01:ih*0.04", "28", 1),
    "cropped by 10 %": ("crop=iw*0.9:ih*0.9", "23", 1),
    "cropped at one side": ("crop=iw:ih*0.88:0:0", "23", 1),
    "twice all": ("crop=iw*0.95:ih*0.95,scale=480:-2", "28", 2),
    "off a screen": ("scale=iw*0.83:-2,noise=alls=8:allf=t", "28", 1),
    "another rate": ("fps=10", "23", 1),
    "trimmed": ("trim=start=0.4:duration=0.3,setpts=PTS-STARTPTS", "23", 1),
}


@pytest.mark.parametrize("name", TREATMENTS)
def test_the_number_outlives_what_platforms_do(clip: Path, tmp_path: Path, name: str) -> None:
    filters, crf, times = TREATMENTS[name]
    path = clip
    for number in range(times):
        treated = tmp_path / f"{number}.mp4"
        ffmpeg("-i", str(path), "-vf", f"{filters},{EVEN}", *LOSSY, crf, str(treated))
        path = treated
    found = looked_at(path)
    assert found is not None
    assert found.payload == NUMBER
    assert found.mirrored == (name == "mirrored")
    assert found.false_alarm < watermark.FALSE_ALARM


def test_the_number_outlives_a_gif(clip: Path, tmp_path: Path) -> None:
    ffmpeg("-i", str(clip), "-filter_complex", GIF, str(tmp_path / "meme.gif"))
    found = looked_at(tmp_path / "meme.gif")
    assert found is not None
    assert found.payload == NUMBER


def test_it_says_where_a_crop_lay(marked: list[np.ndarray]) -> None:
    cropped = [np.ascontiguousarray(frame[50:542, 12:444, :][:, ::-1]) for frame in marked[:4]]
    found = detect(cropped)
    assert found is not None
    assert found.payload == NUMBER
    assert found.mirrored
    assert found.scale == pytest.approx((432 / 480, 492 / 562), abs=0.005)
    assert found.offset == pytest.approx((12 / 480, 50 / 562), abs=0.005)


# Where there is none


def test_nothing_is_found_in_unmarked_frames(frames: list[np.ndarray]) -> None:
    assert detect([]) is None
    assert detect(frames) is None
    assert detect(frame[30:, :-20] for frame in frames[::4]) is None


def test_nothing_is_found_in_noise_and_in_nothing() -> None:
    random = np.random.default_rng(4)
    assert detect(random.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(3)) is None
    for grey in (0, 128, 255):
        assert detect([np.full((240, 320, 3), grey, np.uint8)]) is None


def test_an_unmarked_picture_fits_no_better_than_chance(frames: list[np.ndarray]) -> None:
    evidence, _ = watermark._evidence(frames[::4])
    chips = watermark._sampled(evidence, watermark._Window())
    fits = [watermark._fit(chips, watermark._sequence(watermark._coded(payload))) for payload in range(0, 2**32, 2**24)]
    assert abs(np.mean(fits)) < 2  # the sync, a quarter of all chips, is the same in all
    assert np.std(fits) == pytest.approx(np.sqrt(3 / 4), rel=0.15)
    assert max(fits) < 4.5


def test_the_bound_on_false_alarms_is_a_bound() -> None:
    # What is accepted has z above 8.6, and 10 where places were searched: by Hoeffding's bound rarer than one in a
    # million, with all payloads and places; half of that is for the whole picture and its mirror image.
    whole, elsewhere = watermark._WHOLE, watermark._SEARCHED
    places = 2 * len(watermark._SCALES) ** 2 * (0.2 * watermark._SIDE) ** 2 + 2 * watermark._CANDIDATES
    assert 2 / whole + places / elsewhere < 1
    for tried, least in ((whole, 8.6), (elsewhere, 10.2)):
        threshold = np.sqrt(2 * np.log(tried * 2.0**32 / watermark.FALSE_ALARM))
        assert least < threshold < least + 0.1


@pytest.mark.parametrize(("fit", "found"), [(8.5, False), (8.8, True), (10.0, True)])
def test_what_fits_too_little_is_not_taken(monkeypatch: pytest.MonkeyPatch, fit: float, found: bool) -> None:
    monkeypatch.setattr(watermark, "_fit", lambda *_: fit)
    evidence = np.asarray(cv2.resize(watermark._chips(NUMBER), (256, 256), interpolation=cv2.INTER_NEAREST))
    detection = watermark._decode(evidence, watermark._Window(), watermark._WHOLE)
    assert (detection is not None) == found
    assert detection is None or detection.false_alarm < watermark.FALSE_ALARM
    assert watermark._decode(evidence, watermark._Window(), watermark._SEARCHED) is None


def test_what_an_encoder_leaves_of_a_small_clip_is_enough(portrait: np.ndarray, tmp_path: Path) -> None:
    photo = np.asarray(cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA))
    clip = write_video(tmp_path / "small.mp4", embed([photo] * 13, NUMBER), fps=25).path
    ffmpeg("-i", str(clip), *LOSSY, "30", str(tmp_path / "treated.mp4"))
    found = looked_at(tmp_path / "treated.mp4")
    assert found is not None
    assert found.payload == NUMBER


# The code


def test_the_hadamard_transform_finds_the_best_word() -> None:
    random = np.random.default_rng(5)
    looks, scrambling = watermark._code()
    for symbol in (0, 1, 2**19, 0xABCDE, 2**20 - 1):
        signs = watermark._sequence(symbol)[watermark._SYNC :].reshape(2, -1)[0]
        noisy = signs + random.normal(0, 8, signs.shape)
        assert watermark._symbol((noisy * scrambling[0]).astype(np.float32), looks[0]) == symbol


def test_the_pattern_stays_the_same_for_ever() -> None:
    chips = watermark._chips(NUMBER)
    assert chips.shape == (128, 128)
    assert set(np.unique(chips)) == {-1, 1}
    digest = int(np.frombuffer(np.packbits(chips > 0).tobytes(), np.uint8).astype(np.int64) @ np.arange(1, 2049))
    assert digest == 269558026, "clips marked by earlier versions could no longer be read"
