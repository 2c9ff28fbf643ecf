"""Photos of every kind, made on the spot with Pillow and read back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from http_server import HttpServer
from PIL import Image

from memegen.animator import load_animator
from memegen.base import downloads
from memegen.base.errors import DownloadError, InputError, UnavailableError
from memegen.base.files import check_file
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.media import images
from memegen.media.images import read_image
from memegen.media.video import Video

ORIENTATION = 0x0112
UPRIGHT = Image.new("RGB", (60, 40), (20, 40, 60))
UPRIGHT.paste((250, 240, 230), (0, 0, 20, 10))  # a light patch at the top left


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def assert_same(array: np.ndarray, image: Image.Image = UPRIGHT, *, within: int = 0) -> None:
    assert array.dtype == np.uint8
    assert array.shape == (image.height, image.width, 3)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert np.abs(array.astype(int) - np.asarray(image.convert("RGB"), int)).max() <= within


# Where it comes from


def test_every_kind_of_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "me.png"
    path.write_bytes(saved(UPRIGHT))
    for source in (path, str(path), path.read_bytes(), np.asarray(UPRIGHT), UPRIGHT):
        assert_same(read_image(source))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert_same(read_image("~/me.png"))


@pytest.mark.parametrize("name", ["-dash.png", "with space.png", "ütf-8 顔.png", "no ending", "wrong.txt"])
def test_awkward_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(saved(UPRIGHT))
    assert_same(read_image(name))


@pytest.mark.parametrize(
    ("kind", "within"),
    [("JPEG", 60), ("PNG", 0), ("GIF", 0), ("WEBP", 60), ("BMP", 0), ("TIFF", 0), ("PPM", 0), ("TGA", 0)],
)
def test_file_formats(kind: str, within: int) -> None:
    assert_same(read_image(saved(UPRIGHT, kind)), within=within)


def test_the_input_is_left_alone() -> None:
    array = np.asarray(UPRIGHT).copy()
    read_image(array, max_side=10)[:] = 0
    assert_same(array)
    image = Image.open(io.BytesIO(saved(Image.new("RGB", (800, 600), "red"), "JPEG")))
    assert read_image(image, max_side=100).shape == (75, 100, 3)
    assert image.size == (800, 600)


# What is in it


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright(kind: str, orientation: int) -> None:
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = UPRIGHT
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert_same(read_image(saved(stored, kind, exif=exif)), within=0 if kind in ("PNG", "TIFF") else 60)


def test_broken_exif_is_no_obstacle() -> None:
    assert_same(read_image(saved(UPRIGHT, "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")))
    assert_same(read_image(saved(UPRIGHT, "JPEG", exif=b"Exif\x00\x00nonsense")), within=60)


def test_transparent_parts_become_white() -> None:
    clear = Image.new("RGBA", (4, 1))
    clear.putdata([(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 128), (0, 0, 0, 0)])
    expected = [[255, 0, 0], [255, 255, 255], [127, 127, 127], [255, 255, 255]]
    for source in (clear, np.asarray(clear), saved(clear), saved(clear, "WEBP", lossless=True, exact=True)):
        assert read_image(source)[0].tolist() == pytest.approx(np.array(expected), abs=1)
    grey = read_image(np.array([[[0, 255], [0, 0]]], np.uint8))
    assert grey[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    assert read_image(saved(palette, transparency=1))[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    assert read_image(saved(palette, "GIF", transparency=1))[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    keyed = Image.new("RGB", (2, 1), (1, 2, 3))
    keyed.putpixel((0, 0), (9, 9, 9))
    assert read_image(saved(keyed, transparency=(1, 2, 3)))[0].tolist() == [[9, 9, 9], [255, 255, 255]]


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "LA", "RGBA"])
def test_colour_modes(mode: str) -> None:
    image = UPRIGHT.convert(mode)
    assert_same(read_image(image), image)
    if mode in ("L", "CMYK", "YCbCr"):
        assert_same(read_image(saved(image, "JPEG", quality=100)), image, within=30)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    expected = [0, 1, 128, 255]
    assert read_image(deep)[0, :, 0].tolist() == expected
    for kind in ("PNG", "TIFF"):
        assert read_image(saved(Image.fromarray(deep), kind))[0, :, 0].tolist() == expected
    assert read_image(Image.fromarray(deep.astype(">u2")))[0, :, 0].tolist() == expected
    assert read_image(Image.fromarray(deep.astype(np.int32)))[0, :, 0].tolist() == expected
    assert read_image(np.dstack([deep] * 3))[0, :, 2].tolist() == expected


def test_arrays() -> None:
    ramp = np.linspace(0, 1, 6).reshape(2, 3)
    assert read_image(ramp)[..., 0].tolist() == [[0, 51, 102], [153, 204, 255]]
    assert read_image(ramp.astype(np.float32)[..., None])[1, 2].tolist() == [255] * 3
    assert read_image(ramp > 0.5)[..., 1].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert_same(read_image(np.asarray(UPRIGHT)[:, ::-1][:, ::-1]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 20, 20), np.uint8), r"shape \(3, 20, 20\)"),
        (np.zeros((1, 2, 20, 3), np.uint8), "shape"),
        (np.zeros((0, 20, 3), np.uint8), "shape"),
        (np.zeros(20, np.uint8), "shape"),
        (np.zeros((2, 2), np.int64), "holds int64 numbers: convert it to uint8"),
        (np.full((2, 2), 200.0), "outside 0 to 1"),
        (np.full((2, 2), np.nan), "outside 0 to 1"),
        (np.full((2, 2), -0.1), "outside 0 to 1"),
        (np.full((2, 2), 1j), "holds complex128 numbers"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_image(array)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    others = [Image.new("RGB", UPRIGHT.size, "red")] * 2
    assert_same(read_image(saved(UPRIGHT, kind, save_all=True, append_images=others, **options)))


# How large


def test_the_long_side_is_capped() -> None:
    assert read_image(Image.new("RGB", (3000, 1500))).shape == (1024, 2048, 3)
    assert read_image(Image.new("RGB", (100, 3000)), max_side=300).shape == (300, 10, 3)
    assert read_image(Image.new("RGB", (3000, 1)), max_side=300).shape == (1, 300, 3)
    assert_same(read_image(UPRIGHT, max_side=60))
    with pytest.raises(InputError, match="max_side is 0"):
        read_image(UPRIGHT, max_side=0)


def test_a_large_jpeg_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("RGB", (2400, 1600), (90, 120, 150)), "JPEG")
    monkeypatch.setattr(images, "MAX_PIXELS", 1_000_000)
    assert np.abs(read_image(data, max_side=300).astype(int) - (90, 120, 150)).max() <= 2
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = saved(Image.new("RGB", (2400, 1600)), "JPEG", exif=exif)
    assert read_image(turned, max_side=300).shape == (300, 200, 3)
    with pytest.raises(InputError, match="2400 x 1600 pixels"):
        read_image(saved(Image.new("RGB", (2400, 1600))), max_side=300)


def test_decompression_bombs_are_refused_quietly(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    bomb = saved(Image.new("1", (20000, 12000)))
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="far too many pixels"):
        read_image(bomb)
    with pytest.raises(InputError, match="12000 x 9000 pixels, more than 100 million"):
        read_image(saved(Image.new("1", (12000, 9000))))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert_same(read_image(saved(UPRIGHT)))
    assert not recwarn.list


# What can't be read


def test_files_that_are_no_photos(tmp_path: Path) -> None:
    empty, text, page, half = (tmp_path / name for name in ("empty.jpg", "text.jpg", "page.jpg", "half.png"))
    empty.touch()
    text.write_text("not a photo " * 20)
    page.write_text("<!doctype html><HTML><body>Sign in")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    half.write_bytes(saved(Image.fromarray(noise))[:6000])
    cases = {
        tmp_path / "none.jpg": "There is no photo at",
        tmp_path: "is a folder",
        empty: "is empty",
        text: "is not a picture",
        page: "is a web page",
        half: "damaged or incomplete",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_devices_and_homes_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.jpg")
    with pytest.raises(InputError, match=r"pipe\.jpg is a device or a pipe"):
        read_image("pipe.jpg")
    with pytest.raises(InputError, match="There is no photo at ~nobody-has-this-name/me"):
        read_image("~nobody-has-this-name/me.jpg")
    with pytest.raises(InputError, match=r"^\. is a folder"):
        read_image("")


def test_a_line_of_pixels_is_a_picture() -> None:
    assert read_image(saved(Image.new("RGB", (1, 9000)), "JPEG")).shape == (2048, 1, 3)
    assert read_image(saved(Image.new("RGB", (9000, 1)), "JPEG")).shape == (1, 2048, 3)


def test_an_open_picture_that_breaks_off() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_image(Image.open(io.BytesIO(saved(noise)[:6000])))


@pytest.mark.parametrize("source", [None, 7, ["me.jpg"]])
def test_things_that_are_no_source(source: Any) -> None:
    with pytest.raises(InputError, match="can't be a"):
        read_image(source)


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\0" * 1000])
def test_bytes_that_are_no_photo(data: bytes) -> None:
    with pytest.raises(InputError):
        read_image(data)


def test_formats_that_run_programs_are_refused() -> None:
    with pytest.raises(InputError, match="is a EPS file"):
        read_image(saved(UPRIGHT, "EPS"))


def test_unreadable_and_oversized_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "me.png"
    path.write_bytes(saved(UPRIGHT))
    monkeypatch.setattr(images, "MAX_BYTES", 50)
    with pytest.raises(InputError, match="is larger than"):
        read_image(path)
    with pytest.raises(InputError, match="can't be read"):
        check_file("x" * 5000, kind="photo")
    with pytest.raises(InputError, match="can't be read"):
        check_file("nul\0.jpg", kind="photo")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"can't be read .*Permission denied"):
        read_image(path)


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnavailableError, match=r'pip install "memegen-sings\[heif\]"'):
        read_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100)


def test_heic_with_the_extra() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(UPRIGHT).save(stream, quality=90)
    assert_same(read_image(stream.getvalue()), within=40)


# Addresses


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def test_a_photo_from_an_address(server: HttpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for page in ("/me.png", "/my photo ü.png?size=1&a=%20"):
        assert_same(read_image(server.add(page, saved(UPRIGHT))))
    assert list(tmp_path.iterdir()) == []  # nothing is kept


def test_a_photo_behind_a_cookie_and_a_redirect(server: HttpServer) -> None:
    address = server.add("/me.png", saved(UPRIGHT), cookie="seen=1")
    assert_same(read_image(address))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"the file is not there \(HTTP 404\)"),
        (429, r"too many requests at the moment, try again later \(HTTP 429\)"),
        (403, r"this file is not public \(HTTP 403\)"),
        (500, r"the server has a problem, try again later \(HTTP 500\)"),
    ],
)
def test_addresses_that_refuse(server: HttpServer, status: int, message: str) -> None:
    address = server.add("/me.png", status=status)
    with pytest.raises(DownloadError, match=f"{message}. Save the file with a browser and use that file") as caught:
        read_image(address)
    assert address in str(caught.value)


def test_addresses_that_are_no_photo(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        read_image(server.add("/page", b"<html>Sign in</html>"))
    with pytest.raises(InputError, match="is not a picture that can be read"):
        read_image(server.add("/song", b"la la la"))
    with pytest.raises(DownloadError, match="the connection was cut after"):
        read_image(server.add("/half.png", saved(UPRIGHT), cut_after=60))
    monkeypatch.setattr(images, "MAX_BYTES", 20)
    with pytest.raises(DownloadError, match="is larger than"):
        read_image(server.add("/me.png", saved(UPRIGHT)))


def test_a_server_that_says_nothing(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", (30.0, 0.1))
    with pytest.raises(DownloadError, match="the server does not answer"):
        read_image(server.add("/me.png", hang=True))


@pytest.mark.parametrize(
    ("address", "message"),
    [("http://127.0.0.1:1/me.png", "is this machine online"), ("https://127.0.0.1:x/", "not a usable address")],
)
def test_addresses_that_do_not_answer(address: str, message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        read_image(address)


@pytest.mark.parametrize("address", ["http://", "http://["])
def test_addresses_that_name_no_server(address: str) -> None:
    with pytest.raises(InputError, match="only http:// and https:// addresses"):
        read_image(address)


# What phones make, up to a face that sings


def phone_photo(portrait: np.ndarray, kind: str) -> tuple[Any, tuple[float, float]]:
    """A photo of a kind as a file's bytes, and the middle of its face as it is to be shown, over width and height."""
    face = (265 / 512, 230 / 600)
    photo = Image.fromarray(portrait)
    if kind == "portrait EXIF":
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        return saved(photo.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=90), face
    if kind == "transparent PNG":
        cut = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
        cut[:60, :, 3] = cut[:, :70, 3] = cut[:, -70:, 3] = 0
        return saved(Image.fromarray(cut)), face
    if kind == "screenshot":
        screen = Image.new("RGB", (1080, 2340), (0, 0, 0))
        screen.paste((245, 245, 245), (0, 0, 1080, 160))
        screen.paste((60, 120, 240), (40, 60, 400, 110))
        screen.paste(photo.resize((1080, 1266)), (0, 500))
        return saved(screen), (face[0], (500 + 1266 * face[1]) / 2340)
    if kind == "panorama":
        wide = Image.new("RGB", (6000, 1000), (120, 140, 160))
        wide.paste(photo.resize((256, 300)), (3600, 500))
        return saved(wide, "JPEG", quality=90), ((3600 + 256 * face[0]) / 6000, (500 + 300 * face[1]) / 1000)
    if kind == "tiny face":
        far = Image.new("RGB", (1600, 1200), (120, 140, 160))
        far.paste(photo.resize((64, 75), Image.Resampling.LANCZOS), (900, 600))
        return saved(far), ((900 + 64 * face[0]) / 1600, (600 + 75 * face[1]) / 1200)
    if kind == "HEIC":
        stream = io.BytesIO()
        pytest.importorskip("pillow_heif").from_pillow(photo).save(stream, quality=85)
        return stream.getvalue(), face
    return saved(photo.resize((7680, 9000)), "JPEG", quality=60), face  # huge: 69 million pixels


@pytest.mark.parametrize(
    "kind", ["portrait EXIF", "transparent PNG", "screenshot", "panorama", "tiny face", "HEIC", "huge"]
)
def test_any_phone_photo_sings(portrait: np.ndarray, singer: Video, kind: str) -> None:
    data, (x, y) = phone_photo(portrait, kind)
    photo = read_image(data)
    height, width = photo.shape[:2]
    assert max(height, width) <= 2048
    face = pick_face(detect_faces(photo))
    across, down = face.centre
    assert abs(across - x * width) < 0.15 * face.width
    assert abs(down - y * height) < 0.15 * face.height
    small = photo if face.width < 300 else cv2.resize(photo, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    frames = list(load_animator("mesh").animate(small, replace(singer, start=0.2, duration=0.24)))
    assert [frame.shape for frame in frames] == [small.shape] * 6
    points = [face_mesh(frame, pick_face(detect_faces(frame))) for frame in (small, frames[-1])]
    gaps = [np.linalg.norm(mesh[13] - mesh[14]) / np.linalg.norm(mesh[33] - mesh[263]) for mesh in points]
    assert gaps[1] > gaps[0] + 0.02
