"""Kinds of files that people really have: each is read as players and browsers read it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from media import RATE, clicks, ffmpeg, make_clicks, make_clip, make_flash, samples_of, time_of
from PIL import Image, ImageCms

import memegen
from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.media.images import read_image
from memegen.media.sound import SoundSpan, sound_of
from memegen.media.video import Video, open_video, write_video
from memegen.templates import resolve_driving

CASES = Path(__file__).with_name("cases")


def still(video: Video, index: int = 0) -> np.ndarray:
    """Return a frame of a clip as floats."""
    for number, frame in enumerate(video.frames()):
        if number == index:
            return frame.astype(np.float64)
    raise AssertionError(f"{video.path} has no frame {index}")


def colour(frame: np.ndarray) -> np.ndarray:
    """Return the mean colour of a frame's middle."""
    height, width = frame.shape[:2]
    return np.asarray(frame[height // 4 : -height // 4, width // 4 : -width // 4].mean((0, 1)))


def off(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how many levels the mean colours of two pictures differ, at most."""
    return float(np.abs(one.astype(np.float64).mean((0, 1)) - other.astype(np.float64).mean((0, 1))).max())


# Photos


def test_a_photo_in_display_p3_has_the_colours_of_the_original() -> None:
    photo, p3 = (read_image(CASES / name).astype(np.float64) for name in ("photo.png", "display_p3.jpg"))
    assert np.abs(p3 - photo).mean((0, 1)).max() < 4
    assert off(photo, p3) < 2


def grey_profile() -> bytes:
    """Return a colour profile of gamma 1.8 for grey pictures: header, tag table, curve, white point and name."""
    curve = b"curv\0\0\0\0\0\0\0\1" + (461).to_bytes(2, "big") + b"\0\0"
    white = b"XYZ \0\0\0\0" + b"".join(round(value * 65536).to_bytes(4, "big") for value in (0.9642, 1.0, 0.8249))
    text = b"desc\0\0\0\0\0\0\0\5grey\0" + bytes(79)
    parts, table, at = [curve, white, text], b"", 128 + 4 + 3 * 12
    for name, part in zip((b"kTRC", b"wtpt", b"desc"), parts, strict=True):
        table += name + at.to_bytes(4, "big") + len(part).to_bytes(4, "big")
        at += len(part)
    head = at.to_bytes(4, "big") + bytes(4) + b"\2\x20\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    head += b"".join(round(value * 65536).to_bytes(4, "big") for value in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + (3).to_bytes(4, "big") + table + b"".join(parts)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "avif", "tiff", "heic"])
def test_profiles_travel_in_every_format(tmp_path: Path, ending: str) -> None:
    p3 = Image.open(CASES / "display_p3.jpg")
    file = tmp_path / f"p3.{ending}"
    if ending == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    p3.save(file, quality=95, icc_profile=p3.info["icc_profile"])
    assert off(read_image(file), read_image(CASES / "photo.png")) < 4


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_photo_with_a_profile(mode: str) -> None:
    grey = Image.new("L", (32, 32), 100)
    if mode == "I;16":
        grey = Image.fromarray(np.full((32, 32), 100 * 257, np.uint16))
    data = io.BytesIO()
    (grey if mode == "I;16" else grey.convert(mode)).save(data, "PNG", icc_profile=grey_profile())
    linear = (100 / 255) ** 1.8
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert read_image(data.getvalue()).mean() == pytest.approx(expected, abs=2)


def test_a_cmyk_photo_keeps_its_look_when_its_profile_does_not_fit() -> None:
    data = io.BytesIO()
    rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (32, 32), (0, 200, 200, 0)).save(data, "JPEG", icc_profile=rgb, quality=95)
    assert read_image(data.getvalue()).mean((0, 1)) == pytest.approx([255, 55, 55], abs=6)


def test_transparent_parts_stay_white_with_a_profile() -> None:
    p3 = Image.open(CASES / "display_p3.jpg")
    clear = p3.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 100, 100))
    data = io.BytesIO()
    clear.save(data, "PNG", icc_profile=p3.info["icc_profile"])
    photo = read_image(data.getvalue())
    assert (photo[:100, :100] == 255).all()
    assert off(photo[150:], read_image(CASES / "photo.png")[150:]) < 4


@pytest.mark.parametrize("bad", [b"not a profile", b"\0" * 128])
def test_a_damaged_profile_changes_nothing(bad: bytes) -> None:
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 40)).save(data, "PNG", icc_profile=bad)
    assert (read_image(data.getvalue()) == (200, 30, 40)).all()


def test_only_exif_turns_a_photo_as_in_browsers() -> None:
    assert read_image(CASES / "orientation_only_in_xmp.jpg").shape == (288, 360, 3)


@pytest.mark.parametrize("heif", [False, True])
def test_an_avif_whose_first_brand_is_that_of_heif(heif: bool) -> None:
    if heif:
        pytest.importorskip("pillow_heif").register_heif_opener()
    assert off(read_image(CASES / "avif_brand_mif1.avif"), read_image(CASES / "photo.png")) < 3


def test_a_jpeg_xl_photo_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "me.jxl").write_bytes(b"\xff\x0a" + bytes(50))
    with pytest.raises(InputError, match=r"me\.jxl is a JPEG XL photo.*save it as JPEG"):
        read_image(tmp_path / "me.jxl")


# Colours of videos


def test_hlg_video_has_the_colours_of_the_original() -> None:
    bright, usual = (still(open_video(CASES / name), 5) for name in ("hlg_hevc10.mov", "ref.mp4"))
    assert np.abs(bright - usual).mean((0, 1)).max() < 8
    assert off(bright, usual) < 4


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084", "709"])
@pytest.mark.parametrize("rgb", ["808080", "c04020", "2060b0", "e0c0a0", "f0f0f0"])
def test_hdr_and_wide_gamut_video_shows_the_colours_that_were_meant(tmp_path: Path, transfer: str, rgb: str) -> None:
    meant = np.array([int(rgb[at : at + 2], 16) for at in (0, 2, 4)])
    to_hdr = (
        "format=gbrp,setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr,zscale=t=linear:npl=203,"
        f"format=gbrpf32le,zscale=p=2020:t={transfer}:m=2020_ncl:r=tv:npl=203,format=yuv420p10le"
    )
    file = tmp_path / "hdr.mkv"
    coding = ("-c:v", "libx265", "-x265-params", "log-level=error", "-qp", "4")
    ffmpeg("-f", "lavfi", "-i", f"color=0x{rgb}:s=96x64:r=25:d=0.2", "-vf", to_hdr, *coding, str(file))
    seen = colour(still(open_video(file)))
    assert np.abs(seen - meant).max() <= 8, seen


@pytest.mark.parametrize(("rows", "matrix"), [(576, "smpte170m"), (720, "bt709")])
def test_video_without_tags_is_standard_or_high_definition(tmp_path: Path, rows: int, matrix: str) -> None:
    file = tmp_path / "plain.mkv"
    red = f"color=0xc04020:s={rows * 4 // 3}x{rows}:r=25:d=0.2"
    untagged = f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p,setparams=colorspace=unknown"
    ffmpeg("-f", "lavfi", "-i", red, "-vf", untagged, "-c:v", "libx264", "-crf", "4", str(file))
    assert np.abs(colour(still(open_video(file))) - (0xC0, 0x40, 0x20)).max() <= 3


def test_vp8_has_the_colours_that_its_file_names() -> None:
    vp8, usual = (still(open_video(CASES / name), 2) for name in ("turned_midway.webm", "ref.mp4"))
    assert off(vp8, usual) < 4


def test_interlaced_video_has_no_comb() -> None:
    def comb(frame: np.ndarray) -> float:
        """Return how much each row differs from the mean of its neighbours, over how much those differ."""
        grey = frame.mean(2)
        across = np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean()
        return float(across / np.abs(grey[:-2] - grey[2:]).mean())

    clip = open_video(CASES / "interlaced.mpg")
    raw = ffmpeg("-i", str(clip.path), "-map", "0:v", "-frames:v", "10", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    combed = np.frombuffer(raw, np.uint8).reshape(-1, 288, 360, 3)[8].astype(np.float64)
    assert comb(still(clip, 8)) < 0.7 < comb(combed)
    assert clip.frame_count == pytest.approx(50, abs=1)


# Transparency


def test_every_transparent_clip_is_on_white(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (64, 48), (0, 0, 0, 0)) for _ in range(4)]
    for number, frame in enumerate(frames):
        frame.paste((200, 30, 40, 255), (10 + number, 10, 40, 40))
    files = [tmp_path / f"s.{ending}" for ending in ("gif", "webp", "png")]
    for file in files:
        frames[0].save(file, save_all=True, append_images=frames[1:], duration=100, disposal=2)
    for name, coding in (
        ("s.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p")),
        ("s8.webm", ("-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0")),
        ("s.mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")),
        ("q.mov", ("-c:v", "qtrle", "-pix_fmt", "argb")),
    ):
        files.append(tmp_path / name)
        ffmpeg("-i", str(tmp_path / "s.png"), *coding, str(files[-1]))
    for file in [*files, CASES / "alpha_sticker.webm"]:
        corner = still(open_video(file))[:4, :4]
        assert corner.min() >= 250, file


def test_a_moving_avif_sings(tmp_path: Path) -> None:
    file = tmp_path / "moving.avif"
    frames = [Image.new("RGB", (64, 48), (50 * number, 0, 0)) for number in range(5)]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=100)
    clip = open_video(file)
    assert clip.frame_count == 5
    assert clip.fps == 10
    assert still(clip, 4)[..., 0].mean() == pytest.approx(200, abs=4)


# Clocks and sizes


def best_shift(seen: list[np.ndarray], meant: list[np.ndarray]) -> set[int]:
    """Return by how many frames a clip is behind another, at several moments."""
    small = [np.stack([frame[40::6, ::6].mean(2) for frame in frames]) for frames in (seen, meant)]
    return {
        int(np.square(small[1] - small[0][index]).mean((1, 2)).argmin()) - index for index in range(5, len(seen) - 1, 6)
    }


def delay(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how many seconds a sound is behind another, where their correlation is highest."""
    long = 2 * max(len(one), len(other))
    likeness = np.fft.irfft(np.fft.rfft(one, long) * np.conj(np.fft.rfft(other, long)))
    best = int(likeness.argmax())
    return (best if best < long // 2 else best - long) / RATE


def test_a_picture_that_begins_half_a_second_late_keeps_its_sync(tmp_path: Path) -> None:
    usual = list(open_video(CASES / "ref.mp4").frames())
    clip = open_video(CASES / "picture_half_a_second_late.ts")
    assert clip.duration == pytest.approx(2.54, abs=0.04)
    frames = list(clip.frames())
    assert best_shift(frames[14:], usual) == {0}  # 0.54 s are 13.6 frames
    later = open_video(clip.path, start=1.0)
    assert all((a == b).all() for a, b in zip(later.frames(), frames[25:], strict=True))
    for span in (clip, later):
        made = write_video(tmp_path / "out.mp4", span.frames(), fps=span.fps, audio=span)
        assert delay(samples_of(made.path), samples_of(clip.path)) == pytest.approx(-span.start, abs=0.005)


@pytest.mark.parametrize("start", [0.0, 1.2])
@pytest.mark.parametrize("late", [0.0, 0.5, 2.0])
def test_flash_and_click_stay_together_in_mpeg_ts(tmp_path: Path, late: float, start: float) -> None:
    time = make_flash(tmp_path / "whole.mp4", frame=60, seconds=4)
    file = tmp_path / "late.ts"
    ffmpeg("-i", str(tmp_path / "whole.mp4"), "-vf", f"trim=start={late}", "-c:a", "aac", "-muxdelay", "0", str(file))
    clip = open_video(file, start=start)
    made = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    flash = next(number for number, frame in enumerate(made.frames()) if frame.mean() > 128)
    assert clicks(made.path) == pytest.approx([flash / 25], abs=0.04)
    assert flash / 25 == pytest.approx(time - start, abs=0.07)  # the sound begins at its encoder's delay, before 0


def test_sizes_that_change_often_shift_nothing() -> None:
    clip = open_video(CASES / "resolution_changes_often.webm")
    assert (clip.width, clip.height, clip.frame_count) == (360, 288, 50)
    shifts = best_shift(list(clip.frames()), list(open_video(CASES / "ref.mp4").frames()))
    assert shifts <= {0, 1, 2, -1}


def test_a_clip_that_is_turned_midway_has_bars() -> None:
    clip = open_video(CASES / "turned_midway.webm")
    assert (clip.width, clip.height, clip.frame_count) == (360, 288, 50)
    before, after = still(clip, 20), still(clip, 30)
    assert before[100:, :60].mean() > 60
    assert after[100:, :60].max() < 20
    assert after[:, 80:280].mean() > 60


@pytest.mark.parametrize(("first", "second", "usual"), [("64x48", "128x96", (128, 96)), ("96x72", "48x36", (96, 72))])
def test_the_largest_size_of_the_usual_shape(tmp_path: Path, first: str, second: str, usual: tuple[int, int]) -> None:
    parts = []
    for number, size in enumerate((first, second)):
        part = make_clip(tmp_path / f"{number}.ts", size=size, seconds=1, options=("-c:v", "libx264", "-bf", "0"))
        parts.append(part.read_bytes())
    file = tmp_path / "grows.h264.ts"
    listing = tmp_path / "list.txt"
    listing.write_text(f"file {tmp_path}/0.ts\nfile {tmp_path}/1.ts\n")
    ffmpeg("-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", str(file))
    clip = open_video(file)
    assert (clip.width, clip.height) == usual
    assert clip.frame_count == pytest.approx(50, abs=1)
    assert time_of(still(clip, 12)) == pytest.approx(12 / 25, abs=0.05)
    assert time_of(still(clip, 37)) == pytest.approx(12 / 25, abs=0.05)  # each part tells its own time


@pytest.mark.parametrize("delays", [("602", "0"), ("0", "602")])
def test_clocks_that_are_minutes_apart(
    tmp_path: Path, delays: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    make_clip(tmp_path / "picture.mkv", seconds=2)
    make_clicks(tmp_path / "sound.wav", seconds=2, at=(1.0,))
    file = tmp_path / "apart.mkv"
    picture, sound = (("-itsoffset", delay, "-i", str(tmp_path / name)) for delay, name in
                      zip(delays, ("picture.mkv", "sound.wav"), strict=True))  # fmt: skip
    ffmpeg(*picture, *sound, "-map", "0:v", "-map", "1:a", "-c", "copy", str(file))
    clip = open_video(file)
    assert clip.duration == pytest.approx(2.0, abs=0.04)
    assert "picture and sound begin 602 s apart" in caplog.text
    made = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    assert clicks(made.path) == pytest.approx([1.0], abs=0.02)
    assert time_of(still(made, 25)) == pytest.approx(1.0, abs=0.05)


def test_a_file_filled_with_zeros_names_the_true_time() -> None:
    with pytest.raises(InputError, match=r"can't be read past 1\.32 s: get the file again, or use only the part bef"):
        list(open_video(CASES / "zeros_to_the_end.mp4").frames())
    assert sum(1 for _ in open_video(CASES / "zeros_to_the_end.mp4", duration=1.3).frames()) in (32, 33)


# Sound tracks


def test_the_default_track_is_heard_not_a_silent_first() -> None:
    clip = open_video(CASES / "silent_first_track.mp4")
    assert clip.decoding.track == 1
    assert sound_of(clip.path) == SoundSpan(clip.path, track=1)


@pytest.mark.parametrize("default", [None, 0, 1, 2])
def test_the_default_track_else_the_first_that_can_be_heard(tmp_path: Path, default: int | None) -> None:
    make_clip(tmp_path / "picture.mkv", seconds=2)
    silent, late, early = (
        make_clicks(tmp_path / f"{name}.wav", seconds=2, at=at)
        for name, at in (("silent", ()), ("late", (1.5,)), ("early", (0.5,)))
    )
    file = tmp_path / "tracks.mkv"
    inputs = [word for part in (tmp_path / "picture.mkv", silent, late, early) for word in ("-i", str(part))]
    maps = [word for number in range(4) for word in ("-map", str(number))]
    flags = [word for n in range(3) for word in (f"-disposition:a:{n}", "default" if n == default else "0")]
    ffmpeg(*inputs, *maps, *flags, "-c:v", "copy", "-default_mode", "infer_no_subs", str(file))
    made = write_video(tmp_path / "out.mp4", open_video(file).frames(), fps=25, audio=open_video(file))
    assert clicks(made.path) == pytest.approx([0.5 if default == 2 else 1.5], abs=0.01)


def test_a_sound_that_cannot_be_decoded_is_found_before_the_work(tmp_path: Path) -> None:
    clip = open_video(CASES / "unknown_sound_codec.mp4")
    assert clip.frame_count == 50

    def untouched() -> object:
        raise AssertionError("a frame was asked for")
        yield

    with pytest.raises(InputError, match="of a kind that can't be decoded") as caught:
        write_video(tmp_path / "out.mp4", untouched(), fps=25, audio=clip)  # type: ignore[arg-type]
    assert caught.value.remedy == {"mute": True}
    with pytest.raises(InputError, match="can't be decoded"):
        memegen.make_meme(asset("portrait.jpg"), clip.path, out=tmp_path / "out.mp4")


def test_a_readable_second_track_is_used(tmp_path: Path) -> None:
    data = bytearray((CASES / "silent_first_track.mp4").read_bytes())
    first = data.index(b"mp4a")
    data[first : first + 4] = b"apac"
    file = tmp_path / "second.mp4"
    file.write_bytes(data)
    assert open_video(file).decoding.track == 1


# Paths and pages


@pytest.mark.parametrize("form", ['"{}"', "'{}'", " {} ", "file://{}", "{uri}"])
def test_paths_as_people_paste_them(tmp_path: Path, form: str) -> None:
    file = tmp_path / "my photo é.png"
    file.write_bytes((CASES / "photo.png").read_bytes())
    pasted = form.format(file, uri=file.as_uri())
    assert read_image(pasted).shape == (288, 360, 3)


def test_a_home_in_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_clip(tmp_path / "clip.mp4")
    assert open_video('"~/clip.mp4"').frame_count == 50
    assert resolve_driving((tmp_path / "clip.mp4").as_uri()).path == tmp_path / "clip.mp4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#EXTM3U\n#EXTINF:4,\npart.ts\n", "a playlist, not a video"),
        ('<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "a playlist, not a video"),
        ("\n<!DOCTYPE html><html><body>Watch</body></html>", "a web page, not a video"),
    ],
)
def test_playlists_and_pages_are_not_videos(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "clip.mp4"
    file.write_text(text)
    with pytest.raises(InputError, match=f"{said}: download the video itself first"):
        open_video(file)
