"""Every kind of file, decoded again: its size, rate, length and colours, and that it takes no more than asked."""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from media import RATE, clicks, describe, ffmpeg, make_clicks, make_clip, noise, samples_of, time_of
from PIL import Image

from memegen.base.errors import InputError, OutputError
from memegen.media.encoders import LADDERS, MOVIE_LADDER, STICKER_LADDERS, Step, final_size, parse_size, thinning
from memegen.media.video import Video, open_video, write_video
from memegen.provenance.credentials import seal
from memegen.provenance.metadata import Marks

COLOURS = np.array([[200, 30, 30], [30, 160, 60], [40, 60, 200], [230, 190, 170]], np.uint8)


def growing(count: int, *, width: int = 64, height: int = 48) -> Iterator[np.ndarray]:
    """A white bar that gets longer on four colours, so that a frame tells its number."""
    for index in range(count):
        frame = np.repeat(np.repeat(COLOURS.reshape(2, 2, 3), height // 2, 0), width // 2, 1)
        frame[height // 4 : height // 2, : (index + 1) * width // count] = 255
        yield frame


def bar(frame: np.ndarray) -> float:
    """How long the bar of a frame is, 0 to 1."""
    return float((frame[frame.shape[0] * 3 // 8].min(-1) > 215).mean())


def length_of(path: Path) -> float:
    """Return how long an animation is, by Pillow, in seconds."""
    total = 0
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            total += image.info["duration"]
    return total / 1000


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clicks(tmp_path_factory.mktemp("song") / "song.wav", seconds=9.0, at=(0.5, 1.0))


# Each kind


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
@pytest.mark.parametrize("fps", ["24000/1001", "25", "60000/1001"])
def test_a_movie_is_read_again_as_written(tmp_path: Path, song: Path, suffix: str, fps: str) -> None:
    rate = Fraction(fps)
    result = write_video(tmp_path / f"out{suffix}", growing(40), fps=rate, audio=song, comment="made with memegen")
    again = open_video(result.path)
    assert again == result
    assert (again.fps, again.width, again.height, again.frame_count) == (rate, 64, 48, 40)
    assert abs(len(samples_of(result.path)) / RATE - again.duration) < 1 / rate
    told = describe(result.path)
    assert re.search(r"Video: h264.*yuv420p\(tv, bt709", told)
    assert re.search(r"comment +: made with memegen", told)
    data = result.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert [bar(frame) for frame in again.frames()] == pytest.approx([(i + 1) / 40 for i in range(40)], abs=0.04)


@pytest.mark.parametrize(
    ("suffix", "fps", "kept"),
    [
        (".gif", "25", 2), (".gif", "30000/1001", 2), (".gif", "24000/1001", 2), (".gif", "60", 4), (".gif", "10", 1),
        (".webp", "25", 1), (".webp", "30000/1001", 1), (".webp", "60000/1001", 2),
        (".apng", "25", 2), (".apng", "30000/1001", 2), (".apng", "10", 1),
    ],
)  # fmt: skip
def test_an_animation_is_read_again_as_written(tmp_path: Path, suffix: str, fps: str, kept: int) -> None:
    rate = Fraction(fps)
    result = write_video(tmp_path / f"out{suffix}", growing(40), fps=rate)
    assert (result.fps, result.frame_count, result.has_audio) == (rate / kept, -(-40 // kept), False)
    assert length_of(result.path) == pytest.approx(40 / rate, abs=float(kept / rate))
    again = open_video(result.path)
    assert (again.width, again.height) == (64, 48)
    assert again.fps == pytest.approx(result.fps, rel=0.01)
    assert again.duration == pytest.approx(result.duration, abs=float(kept / rate))
    for clip in (again, result):
        shown = [bar(frame) for frame in clip.frames()]
        wanted = [(index * kept + 1) / 40 for index in range(len(shown))]
        assert shown[:-1] == pytest.approx(wanted[:-1], abs=0.04 if clip is result else kept / 40 + 0.04)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ".png"])
def test_colours_are_kept(tmp_path: Path, suffix: str) -> None:
    result = write_video(tmp_path / f"out{suffix}", growing(3, width=128, height=96), fps=25)
    frame = next(open_video(result.path).frames()) if suffix != ".png" else np.array(Image.open(result.path))
    for row, column in ((84, 32), (84, 96)):
        wanted = growing(1, width=128, height=96)
        assert np.abs(frame[row, column].astype(int) - next(wanted)[row, column]).max() <= 8


@pytest.mark.parametrize(
    ("name", "size", "final"),
    [
        ("a.mp4", (513, 601), (512, 600)),
        ("a.MOV", (64, 48), (64, 48)),
        ("a.gif", (512, 600), (410, 480)),
        ("a.gif", (300, 201), (300, 201)),
        ("a.webp", (512, 512), (512, 512)),
        ("a.webp", (1440, 1080), (720, 540)),
        ("a.apng", (512, 600), (410, 480)),
        ("a.webm", (513, 601), (512, 600)),
        ("a.png", (1081, 607), (1081, 607)),
    ],
)
def test_the_final_size_is_known_before(
    tmp_path: Path, name: str, size: tuple[int, int], final: tuple[int, int]
) -> None:
    assert final_size(tmp_path / name, *size) == final
    width, height = size
    result = write_video(tmp_path / name, [np.zeros((height, width, 3), np.uint8)] * 2, fps=25)
    assert (result.width, result.height) == final
    with (
        Image.open(result.path) if result.path.suffix in (".gif", ".webp", ".apng", ".png") else _first(result) as image
    ):
        assert image.size == final


def _first(video: Video) -> Image.Image:
    return Image.fromarray(next(video.frames()))


@pytest.mark.parametrize(
    ("fps", "gif", "webp"), [("25", 2, 1), ("30", 2, 1), ("50", 4, 2), ("60000/1001", 4, 2), ("24", 2, 1), ("12", 1, 1)]
)
def test_frames_are_left_out_evenly(fps: str, gif: int, webp: int) -> None:
    assert (thinning("a.gif", Fraction(fps)), thinning("a.WEBP", Fraction(fps))) == (gif, webp)
    assert thinning("a.mp4", Fraction(fps)) == thinning("a.png", Fraction(fps)) == 1


def test_a_gif_carries_its_comment_and_repeats(tmp_path: Path) -> None:
    comment = "made with memegen, " * 20
    path = write_video(tmp_path / "out.gif", growing(4), fps=10, comment=comment).path
    with Image.open(path) as image:
        assert image.info["comment"].decode() == comment
        assert image.info["loop"] == 0
        assert getattr(image, "n_frames", 1) == 4
    assert len(list(open_video(path).frames())) == 4
    with Image.open(write_video(tmp_path / "out.webp", growing(4), fps=10).path) as image:
        assert image.info["loop"] == 0


def test_a_thumbnail_asks_for_no_frame_more_than_it_shows(tmp_path: Path) -> None:
    asked = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal asked
        for frame in growing(100):
            asked += 1
            yield frame

    result = write_video(tmp_path / "out.png", counted(), fps=25, audio=None)
    assert asked == 26
    assert np.array_equal(np.array(Image.open(result.path)), list(growing(100))[25])
    assert result.frame_count == 1
    short = write_video(tmp_path / "short.png", growing(4), fps=25)
    assert np.array_equal(np.array(Image.open(short.path)), list(growing(4))[3])


def test_sound_is_left_out_where_there_can_be_none(tmp_path: Path, song: Path) -> None:
    for suffix in (".gif", ".webp", ".png"):
        assert not write_video(tmp_path / f"out{suffix}", growing(3), fps=25, audio=song).has_audio
    with pytest.raises(InputError, match="no sound file"):
        write_video(tmp_path / "out.gif", growing(3), fps=25, audio="none.mp3")


# As Instagram wants them: no edit list, the index in front, closed groups of pictures


def boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a movie's boxes in order, and those inside a track, each with its content."""
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        assert 8 <= size <= len(data)
        yield kind.decode("latin-1"), data[8:size]
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            yield from boxes(data[8:size])
        data = data[size:]


def tables(data: bytes, handler: bytes) -> dict[str, np.ndarray]:
    """Return the tables of the samples of a picture's (vide) or sound's (soun) track."""
    # The first box of a kind counts: QuickTime has one more hdlr, of where the data are.
    tracks = (dict(reversed([*boxes(content)])) for kind, content in boxes(data) if kind == "trak")
    [track] = (track for track in tracks if track["hdlr"][8:12] == handler)
    return {kind: np.frombuffer(content, ">i4")[1:] for kind, content in track.items() if len(content) % 4 == 0}


def shown_at(track: dict[str, np.ndarray]) -> np.ndarray:
    """Return when each sample is shown, in units of the track's clock, in the order of the file."""
    lengths, offsets = (np.repeat(*track[kind][1:].reshape(-1, 2).T[::-1]) for kind in ("stts", "ctts"))
    return np.cumsum(lengths) - lengths + offsets


def units(data: bytes, track: dict[str, np.ndarray], sample: int) -> set[int]:
    """Return the types of H.264 units in a sample, counted from 1: 5 is a picture that none may look behind."""
    chunks, runs, ends = track["stco"][1:], track["stsc"][1:].reshape(-1, 3), np.cumsum(track["stsz"][2:])
    counts = runs[np.searchsorted(runs[:, 0], np.arange(len(chunks)) + 1, "right") - 1, 1]
    chunk = int(np.searchsorted(np.cumsum(counts), sample))
    begins = ends - track["stsz"][2:]
    place = chunks[chunk] + begins[sample - 1] - begins[counts[:chunk].sum()]
    end, found = place + track["stsz"][1 + sample], set()
    while place < end:
        found.add(data[place + 4] & 31)
        place += 4 + int.from_bytes(data[place : place + 4])
    assert place == end
    return found


@pytest.mark.parametrize("size", [None, "100 kB"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_a_movie_is_one_that_instagram_takes(tmp_path: Path, song: Path, suffix: str, size: str | None) -> None:
    marked = partial(seal, marks=Marks("mesh", "template", "credit"))
    frames = (bar - bar // 8 + grain // 8 for bar, grain in zip(growing(260), noise(260), strict=True))
    path = tmp_path / f"out{suffix}"
    result = write_video(path, frames, fps=25, audio=song, max_size=size, comment="noise", finish=marked)
    data = result.path.read_bytes()
    kinds = [kind for kind, _ in boxes(data)]
    assert not {"edts", "elst", "moof"} & {*kinds}
    assert kinds.count("moov") == kinds.count("mdat") == 1
    assert kinds.index("moov") < kinds.index("mdat")
    picture, sound = tables(data, b"vide"), tables(data, b"soun")
    times, sync = shown_at(picture), picture["stss"][1:]
    assert np.array_equal(np.sort(times), np.arange(result.frame_count) * picture["stts"][2])
    assert times[0] == 0
    assert np.any(np.diff(times) < 0)  # there are B-frames, and several groups
    assert len(sync) > 1
    for sample in sync:
        assert 5 in units(data, picture, sample)
        assert 1 not in units(data, picture, sample)
    assert sound["stts"][1::2] @ sound["stts"][2::2] == pytest.approx(RATE * result.duration, abs=1)
    assert clicks(result.path) == pytest.approx([0.5, 1.0], abs=0.0005)


@pytest.mark.parametrize("size", [None, "40 kB"])
def test_a_sound_that_begins_at_once_is_heard_at_once(tmp_path: Path, size: str | None) -> None:
    """The packet of silence that AAC begins with is not in the file, so the sound fades in, in its place."""
    tone = tmp_path / "tone.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine=f=440:r={RATE}:d=3", "-af", "volume=4", "-ac", "2", str(tone))
    result = write_video(tmp_path / "out.mp4", noise(50), fps=25, audio=tone, max_size=size)
    heard, played = (samples_of(path)[: 2 * RATE] for path in (result.path, tone))
    assert np.flatnonzero(np.abs(heard) > 0.1)[0] < 0.012 * RATE
    assert np.corrcoef(heard[1024:], played[1024:])[0, 1] > 0.95


# As small as asked


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("10MB", 10e6), ("500 kB", 5e5), ("8MiB", 8 * 2**20), ("1.5 mb", 1.5e6), ("0.5GB", 5e8), ("2M", 2e6),
        ("300 KiB", 307200), ("4096 B", 4096), (4096, 4096), ("77 bytes", 77), ("9b", 9), (None, float("inf")),
    ],
)  # fmt: skip
def test_sizes_as_people_write_them(size: str | int | None, number: float) -> None:
    assert parse_size(size) == number


@pytest.mark.parametrize("size", ["", "big", "10 apples", "-1MB", "0MB", 0, -5, "MB", "1,5MB", "1e6", True, "10MB 2"])
def test_sizes_that_are_none(tmp_path: Path, size: str | int) -> None:
    with pytest.raises(InputError, match=r"can't have the size .* 10MB, 500 kB or 8MiB"):
        write_video(tmp_path / "out.mp4", growing(2), fps=25, max_size=size)


@pytest.mark.parametrize("size", ["10", "0", " 1.5 ", "10000000"])
def test_a_size_in_words_has_a_unit(tmp_path: Path, size: str) -> None:
    with pytest.raises(InputError, match=rf"The size {size.strip()} has no unit: write 10MB or 500kB\.$"):
        write_video(tmp_path / "out.mp4", growing(2), fps=25, max_size=size)


@pytest.mark.parametrize(("megabytes", "count"), [(1, 30), (2, 52), (4, 102)])
def test_a_movie_is_as_small_as_asked(tmp_path: Path, song: Path, megabytes: int, count: int) -> None:
    path = tmp_path / "out.mp4"
    result = write_video(
        path, noise(count, width=256, height=256), fps=24, audio=song, max_size=f"{megabytes}MB", comment="noise"
    )
    assert 0.85 * megabytes * 1e6 < path.stat().st_size <= megabytes * 1e6
    again = open_video(path)
    assert again == result
    assert (again.width, again.height, again.frame_count) == (256, 256, count)
    assert abs(len(samples_of(path)) / RATE - again.duration) < 1 / 24
    assert clicks(path)[:1] == pytest.approx([0.5], abs=0.005)
    told = describe(path)
    assert "yuv420p(tv, bt709" in told
    assert re.search(r"comment +: noise", told)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_movie_that_fits_is_not_touched(tmp_path: Path, song: Path) -> None:
    free = write_video(tmp_path / "free.mp4", growing(20), fps=25, audio=song)
    fitting = write_video(tmp_path / "fitting.mp4", growing(20), fps=25, audio=song, max_size="1MB")
    assert free.path.read_bytes() == fitting.path.read_bytes()


def test_a_movie_shrinks_when_bits_are_few(tmp_path: Path, song: Path) -> None:
    path = tmp_path / "out.mp4"
    result = write_video(path, noise(48, width=192, height=128), fps=24, audio=song, max_size="10 kB")
    assert path.stat().st_size <= 10_000
    assert result.width < 192
    assert result.duration == pytest.approx(2.0, abs=0.1)
    assert open_video(path) == result
    assert result.width * 128 == pytest.approx(result.height * 192, rel=0.1)


@pytest.mark.parametrize(("suffix", "size"), [(".gif", 60_000), (".webp", 60_000), (".apng", 30_000), (".png", 12_000)])
def test_animations_and_stills_are_as_small_as_asked(tmp_path: Path, suffix: str, size: int) -> None:
    free = write_video(tmp_path / f"free{suffix}", noise(24, width=96), fps=25)
    assert free.path.stat().st_size > size
    result = write_video(tmp_path / f"out{suffix}", noise(24, width=96), fps=25, max_size=size)
    assert 0.3 * size < result.path.stat().st_size <= size
    with Image.open(result.path) as image:
        assert image.size == (result.width, result.height)
        assert getattr(image, "n_frames", 1) == result.frame_count
    if suffix != ".png":
        assert length_of(result.path) == pytest.approx(24 / 25, abs=float(1 / result.fps))


def test_a_sticker_is_one_without_being_told(tmp_path: Path) -> None:
    result = write_video(tmp_path / "out.webp", noise(10, width=512, height=512), fps=10)
    assert result.path.stat().st_size < 500_000
    with Image.open(result.path) as image:
        assert image.size == (512, 512)
        assert getattr(image, "n_frames", 1) == result.frame_count > 1
    other = write_video(tmp_path / "other.webp", noise(10, width=510, height=512), fps=10)
    assert other.path.stat().st_size > 500_000


@pytest.mark.parametrize(("suffix", "side", "size"), [(".webm", 256, 100_000), (".apng", 128, 60_000)])
def test_a_sticker_keeps_its_width_and_height(tmp_path: Path, suffix: str, side: int, size: int) -> None:
    frames = [frame // 4 + 96 for frame in noise(8, width=side, height=side)]
    written = write_video(tmp_path / f"out{suffix}", frames, fps=10, max_size=size, keep_size=True)
    assert written.path.stat().st_size <= size
    again = open_video(written.path)
    assert (again.width, again.height) == (side, side)
    free = write_video(tmp_path / f"free{suffix}", frames, fps=10)
    assert free.path.stat().st_size > size


@pytest.mark.parametrize("suffix", [".webm", ".webp"])
def test_opacity_is_kept(tmp_path: Path, suffix: str) -> None:
    """Black, half of it and none: what is transparent is read on white."""
    clear = np.zeros((64, 64, 4), np.uint8)
    clear[24:40, :, 3], clear[48:, :, 3] = 128, 255
    path = write_video(tmp_path / f"out{suffix}", [clear, np.roll(clear, 1, 0), clear], fps=10).path
    frame = next(open_video(path).frames())
    assert [int(frame[row, 32, 1]) for row in (8, 32, 58)] == pytest.approx([255, 127, 0], abs=4)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ".png"])
def test_what_cannot_fit_says_how_small_it_can_be(tmp_path: Path, song: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"earlier")

    def write(size: str) -> Video:
        return write_video(out, noise(12, width=96), fps=25, audio=song, max_size=size)

    with pytest.raises(OutputError, match=r"does not fit in 0\.1 kB: the smallest possible is (\d+) kB") as caught:
        write("100B")
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]
    found = re.search(r"is (\d+) kB", str(caught.value))
    assert found
    write(f"{found[1]} kB")
    assert out.stat().st_size <= int(found[1]) * 1000


@pytest.mark.parametrize("ladder", [*LADDERS.values(), *STICKER_LADDERS.values(), MOVIE_LADDER])
def test_every_step_of_a_ladder_is_smaller_than_the_one_before(ladder: list[Step]) -> None:
    costs = [step.cost for step in ladder]
    assert costs[0] == 1.0
    assert costs == sorted(set(costs), reverse=True)


# Finished


def sign(path: Path) -> None:
    """Add 30 kB that readers skip, as a signature does."""
    extra = bytes(30_000)
    box = struct.pack(">I4s", len(extra) + 8, b"free") if path.suffix == ".mp4" else b""
    path.write_bytes(path.read_bytes() + box + extra)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_finished_file_is_still_as_small_as_asked(tmp_path: Path, song: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    frames = noise(24, width=192, height=128)
    result = write_video(path, frames, fps=24, audio=song, max_size="200 kB", finish=sign)
    assert path.read_bytes().endswith(bytes(30_000))
    assert 100_000 < path.stat().st_size <= 200_000
    assert open_video(path).frame_count == result.frame_count


def test_a_file_is_whole_when_it_is_finished(tmp_path: Path, song: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    seen: list[Video] = []

    def look(path: Path) -> None:
        seen.append(open_video(path))
        assert path.parent != tmp_path
        assert out.read_bytes() == b"earlier"

    result = write_video(out, growing(10), fps=25, audio=song, finish=look)
    assert len(seen) == 1
    assert (seen[0].has_audio, seen[0].frame_count) == (True, 10)
    assert result.finish is look


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ".png"])
def test_a_finish_that_fails_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"earlier")

    def fail(path: Path) -> None:
        raise PermissionError("no key")

    with pytest.raises(PermissionError):
        write_video(out, growing(3), fps=25, finish=fail)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]


# Kept, shown, read


def test_save_converts_and_finishes(tmp_path: Path, song: Path) -> None:
    done: list[str] = []
    clip = write_video(
        tmp_path / "me.mp4", growing(30), fps=25, audio=song, finish=lambda path: done.append(path.suffix)
    )
    for suffix in (".gif", ".webp", ".png", ".mov"):
        path = clip.save(tmp_path / f"me{suffix}")
        assert done[-1] == suffix
        if suffix != ".png":
            assert open_video(path).duration == pytest.approx(1.2, abs=0.05)
    assert open_video(tmp_path / "me.mov").has_audio
    count = len(done)
    assert clip.save(tmp_path / "copy.mp4").read_bytes() == clip.path.read_bytes()
    assert len(done) == count  # a copy has been finished already
    small = clip.save(tmp_path / "small.mp4", max_size=clip.path.stat().st_size - 1)
    assert small.stat().st_size < clip.path.stat().st_size
    back = open_video(tmp_path / "me.webp", start=0.4, duration=0.4).save(tmp_path / "back.mp4")
    assert open_video(back).frame_count == 10
    copied = open_video(tmp_path / "me.webp").save(tmp_path / "copy.webp")
    assert copied.read_bytes() == (tmp_path / "me.webp").read_bytes()


@pytest.mark.parametrize(("suffix", "kind"), [(".gif", "gif"), (".webp", "webp"), (".png", "png")])
def test_pictures_are_shown_inline(tmp_path: Path, suffix: str, kind: str) -> None:
    page = write_video(tmp_path / f"<me>{suffix}", growing(3), fps=25)._repr_html_()
    assert page.startswith(f'<img title="&lt;me&gt;{suffix}" alt="&lt;me&gt;{suffix}" width="64"')
    assert f'src="data:image/{kind};base64,' in page


def test_an_animated_webp_is_a_clip_like_any_other(tmp_path: Path) -> None:
    path = write_video(tmp_path / "in.webp", growing(50), fps=25).path
    clip = open_video(path, start=0.79, duration=0.6)
    assert (clip.fps, clip.start, clip.frame_count) == (25, pytest.approx(0.8), 15)
    assert [bar(frame) for frame in clip.frames()] == pytest.approx([(21 + i) / 50 for i in range(15)], abs=0.03)
    part = clip.cropped((16, 8, 48, 40))
    assert next(part.frames()).shape == (32, 32, 3)
    assert next(part.frames(max_side=16)).shape == (16, 16, 3)
    with pytest.raises(InputError, match="past the end"):
        open_video(path, start=3)
    cut = tmp_path / "cut.webp"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.webp can't be read"):
        list(open_video(cut).frames())


def test_frames_that_last_are_one_in_a_webp(tmp_path: Path) -> None:
    frames = [frame for frame in growing(10) for _ in range(3 if bar(frame) > 0.5 else 1)]
    result = write_video(tmp_path / "out.webp", frames, fps=20)
    again = open_video(result.path)
    assert (again.fps, again.frame_count) == (20, len(frames))
    shown, wanted = ([bar(frame) for frame in clip] for clip in (again.frames(), frames))
    assert shown == pytest.approx(wanted, abs=0.04)


def test_webp_frames_that_last_no_time_are_shown_as_in_browsers(tmp_path: Path) -> None:
    first, *others = map(Image.fromarray, growing(6))
    first.save(tmp_path / "in.webp", save_all=True, append_images=others, duration=0, lossless=True)
    clip = open_video(tmp_path / "in.webp")
    assert (clip.fps, clip.frame_count) == (10, 6)
    assert [bar(frame) for frame in clip.frames()] == pytest.approx([bar(frame) for frame in growing(6)], abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ".png"])
def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "50%03discount %d"
    folder.mkdir()
    assert write_video(folder / f"out{suffix}", growing(10), fps=25).path.stat().st_size > 0
    assert [path.name for path in folder.iterdir()] == [f"out{suffix}"]


def test_a_full_disk_under_a_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="The disk is full"):
        write_video(tmp_path / "out.png", growing(2), fps=25)
    assert list(tmp_path.iterdir()) == []


def test_stills_are_no_clips(tmp_path: Path) -> None:
    for suffix in (".gif", ".webp", ".png"):
        path = tmp_path / f"still{suffix}"
        Image.fromarray(next(growing(1))).save(path)
        with pytest.raises(InputError, match=r"one frame|can't be read as a video"):
            open_video(path)


def test_a_gif_drives_like_a_movie(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.gif", fps="20", seconds=2.0)
    clip = open_video(source)
    assert (clip.fps, clip.frame_count, clip.has_audio) == (20, 40, False)
    shown = [time_of(frame) for frame in clip.frames()]
    assert shown[-1] - shown[0] == pytest.approx(1.95, abs=0.1)
