"""Where clips are posted: what is made for each place, read back against its row of the table."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import describe, ffmpeg, make_clicks, make_clip, samples_of
from PIL import Image

from memegen.base.errors import InputError
from memegen.cli import main
from memegen.look.cutout import cut_out
from memegen.look.options import FORMATS
from memegen.media.destinations import DESTINATIONS, Destination, destination_of, fill_in
from memegen.media.encoders import SUFFIXES
from memegen.media.fitting import broken_limits, paced
from memegen.media.video import Video, open_video, write_video
from memegen.meme import make_meme
from memegen.provenance.inspection import inspect

PLACES = [name for name in DESTINATIONS if name != "anywhere"]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled singer for half a second, with sound, as a clip of one's own."""
    from memegen.base.downloads import asset

    path = tmp_path_factory.mktemp("short") / "short.mp4"
    ffmpeg("-ss", "0.8", "-t", "0.48", "-i", str(asset("templates/daisy-bell.mp4")), str(path))
    return path


def opacity(path: Path) -> np.ndarray:
    """Return the opacity of every frame of a file, (N, H, W)."""
    if path.suffix == ".webm":
        clip = open_video(path)
        raw = ffmpeg("-c:v", "libvpx-vp9", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgba", "-")
        return np.frombuffer(raw, np.uint8).reshape(-1, clip.height, clip.width, 4)[..., 3]
    frames = []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.array(image.convert("RGBA"))[..., 3])
    return np.stack(frames)


def test_every_row_of_the_table_is_complete() -> None:
    for name, place in DESTINATIONS.items():
        assert place.title
        assert place.suffix in SUFFIXES
        assert place.format in FORMATS
        assert bool(place.source) == (name != "anywhere")
        assert place.shortest < min(place.length, place.longest)
        if place.sticker:
            assert place.side
            assert place.limit < 1e6
    assert DESTINATIONS["anywhere"].words == {}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_made_for_a_place_keeps_its_limits(
    name: str, short: Path, small_photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, out = DESTINATIONS[name], tmp_path / f"out{DESTINATIONS[name].suffix}"
    make_meme(small_photo, short, out=out, destination=name)
    clip = open_video(out)
    # Read back with other means than those that `broken_limits` has.
    assert out.stat().st_size <= place.limit
    assert clip.duration <= place.longest
    assert place.rates[0] <= clip.fps <= place.rates[1]
    assert clip.has_audio is not place.sticker
    if place.suffix in (".mp4", ".webm"):
        assert re.search("Video: h264.*Audio: aac" if place.suffix == ".mp4" else "Video: vp9", describe(out), re.S)
    else:
        with Image.open(out) as image:
            assert image.format == {".webp": "WEBP", ".apng": "PNG"}[place.suffix]
            assert getattr(image, "n_frames", 1) == clip.frame_count > 4
    if place.sticker:
        assert (clip.width, clip.height) == (place.side, place.side)
        assert_cut_out(opacity(out), hard=place.suffix == ".apng")
    elif place.format == "vertical":
        assert (clip.width, clip.height) == (1080, 1920)
    missing = [f"at least {place.shortest:g} s, the clip has 0.48 s"] if place.shortest else []
    assert broken_limits(clip, place) == missing
    assert [record.getMessage() for record in caplog.records] == [f"{place.title}: {words}." for words in missing]


def assert_cut_out(seen: np.ndarray, *, hard: bool) -> None:
    """The head is there, the corners beside it are not; a palette of PNG has one colour that is transparent."""
    middle, corners = seen.shape[1] // 2, seen[:, :20, [*range(20), *range(-20, 0)]]
    assert seen[:, middle - 20 : middle + 20, middle - 20 : middle + 20].min() > 250
    assert corners.max() < 5
    assert 0.3 < (seen > 128).mean() < 0.8
    assert not hard or set(np.unique(seen)) <= {0, 255}


def test_the_users_own_choices_win(short: Path, small_photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gif"
    clip = make_meme(
        small_photo, short, out=out, destination="telegram-sticker", format="square", duration=0.4, framing="photo"
    )
    with Image.open(out) as image:
        assert image.format == "GIF"
        assert image.size[0] == image.size[1]
    assert clip.duration == pytest.approx(0.4, abs=0.1)
    words = {"destination": "discord", "max_size": "5MB", "format": "vertical"}
    assert fill_in(words) == words
    asked = fill_in({"destination": "discord-sticker", "cutout": False, "mute": False})
    assert (asked["cutout"], asked["mute"], asked["format"]) == (False, False, "sticker")
    assert "framing" not in fill_in({"destination": "telegram-sticker", "face": "all"})  # one square would cut heads
    assert "framing" not in fill_in({"destination": "telegram-sticker"}, duet=True)
    assert fill_in({"destination": "x"}, ".GIF")["max_size"] == 15_000_000
    assert "cutout" not in fill_in({"destination": "discord-sticker"}, ".gif")


def test_a_song_is_cut_to_what_a_place_takes(tmp_path: Path, small_photo: Path) -> None:
    words = {"destination": "telegram-sticker", "engine": Still(), "cutout": False}
    clip = make_meme(small_photo, out=tmp_path / "one.webp", **words)
    assert 2.8 < clip.duration <= 3
    longer = make_meme(small_photo, out=tmp_path / "two.webp", duration=3.2, **words)
    assert broken_limits(longer, DESTINATIONS["telegram-sticker"]) == ["at most 3 s, the clip has 3.20 s"]


class Still:
    """An engine that shows the photo, square, and nothing else."""

    name = "mesh"

    def animate(self, photo: np.ndarray, driving: Video) -> list[np.ndarray]:
        side = min(photo.shape[:2])
        return [photo[:side, :side]] * driving.frame_count


@pytest.mark.parametrize(
    ("fps", "rates", "rate", "count"), [(60, (0, 30), 30, 30), (12, (23, 60), 24, 120), (25, (23, 60), 25, 60)]
)
def test_frames_come_at_a_rate_that_a_place_takes(fps: int, rates: tuple[float, float], rate: int, count: int) -> None:
    place = Destination("a place", rates=rates)
    frames, now = paced((np.full((2, 2, 3), n, np.uint8) for n in range(60)), Fraction(fps), place)
    shown = [int(frame[0, 0, 0]) for frame in frames]
    assert (now, len(shown)) == (rate, count)
    assert shown[-1] in (58, 59)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("telegram-sticker", ["at most 256 kB, the clip has 5 MB", "at most 3 s, the clip has 5.00 s"]),
        ("instagram", ["23 to 60 frames a second, the clip has 10"]),
        ("tiktok", ["sides of 360 to 4096 pixels, the clip has 64 × 48"]),
    ],
)
def test_a_clip_that_breaks_a_limit_is_told(place: str, said: list[str], tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", fps="10", seconds=5.0, sound=make_clicks(tmp_path / "c.wav", seconds=5.0))
    path.write_bytes(path.read_bytes() + bytes(5_000_000 - path.stat().st_size))
    broken = broken_limits(open_video(path), DESTINATIONS[place])
    assert set(said) <= set(broken)
    assert ("no sound, the clip has some" in broken) == (place == "telegram-sticker")


def test_a_place_that_is_none(small_photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"no destination 'telegramm-sticker'. Did you mean 'telegram-sticker'"):
        make_meme(small_photo, destination="telegramm-sticker")
    with pytest.raises(InputError, match=r"Choose one of anywhere, "):
        destination_of({"destination": None})
    with pytest.raises(SystemExit):
        main(["make", str(small_photo), "--for", "myspace"])
    assert "--for can't be 'myspace': choose one of" in capsys.readouterr().err


def test_the_command_names_the_limits(
    small_photo: Path, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["make", str(small_photo), str(short), "--for", "discord-sticker"]) == 0
    said = capsys.readouterr().out
    assert "320 x 320" in said
    assert "a sticker: .apng, 320 × 320, at most 5 s, at most 60 frames a second, at most 500 kB, no sound." in said
    assert [path.name for path in tmp_path.iterdir()] == ["me-short.apng"]
    assert main(["batch", str(small_photo), str(short), "-o", "clips", "--for", "discord-sticker"]) == 0
    assert (tmp_path / "clips/me.apng").is_file()


# The new kinds of file


def test_a_webm_has_vp9_opus_and_the_marks(small_photo: Path, short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.webm"
    clip = make_meme(small_photo, short, out=out)
    told = describe(out)
    assert re.search(r"Video: vp9.*yuv420p\(tv, bt709", told)
    assert re.search(r"Audio: opus, 48000 Hz, stereo", told)
    again = open_video(out)
    assert (again.fps, again.frame_count, again.has_audio) == (clip.fps, clip.frame_count, True)
    heard, played = samples_of(out), samples_of(short)
    shift = np.argmax(np.correlate(heard[:12000], played[2000:10000])) - 2000
    assert abs(shift) < 240  # 5 ms
    report = inspect(out)
    assert report.mark
    assert report.metadata.source_type
    assert report.metadata.source_type.endswith("compositeSynthetic")
    assert "Made with AI by memegen" in str(report.metadata.comment)
    assert report.credentials.state == "none"


def test_an_animated_png_is_signed_and_repeats(small_photo: Path, short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.apng"
    clip = make_meme(small_photo, short, out=out)
    with Image.open(out) as image:
        assert (image.format, image.info["loop"]) == ("PNG", 0)
        assert getattr(image, "n_frames", 1) == clip.frame_count
    assert open_video(out).duration == pytest.approx(clip.duration, abs=0.1)
    report = inspect(out)
    assert report.credentials.state == "intact"
    assert report.metadata.source_type
    assert report.mark


def test_what_cannot_be_transparent_says_so(small_photo: Path, short: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out.mp4 can't be transparent: write one of .webm, .webp, .apng, .png"):
        make_meme(small_photo, short, out=tmp_path / "out.mp4", cutout=True)
    clear = [np.zeros((48, 64, 4), np.uint8)] * 3
    with pytest.raises(InputError, match="can't be transparent"):
        write_video(tmp_path / "out.gif", clear, fps=10)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_out_keeps_the_person_and_a_border(small_portrait: np.ndarray) -> None:
    [cut] = cut_out([small_portrait])
    height, width = small_portrait.shape[:2]
    assert cut.shape == (height, width, 4)
    assert np.abs(cut[100:140, 90:120, :3].astype(int) - small_portrait[100:140, 90:120]).max() <= 1
    edge = (cut[..., 3] > 0) & (cut[..., 3] < 255)
    assert cut[edge][:, :3].min() > 150  # white
    assert math.isclose((cut[:10, :10, 3]).max(), 0)


def test_the_page_of_destinations_says_what_the_table_says() -> None:
    page = (Path(__file__).parents[1] / "docs/destinations.md").read_text(encoding="utf-8")
    for name, place in DESTINATIONS.items():
        if place.source:
            assert f"| `{name}` | {place.title} | {place.limits} | {place.source} |" in page
            assert not place.note or f"- `{name}`: {place.note}" in page
