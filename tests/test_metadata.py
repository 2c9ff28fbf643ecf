"""Metadata: written into every kind of file without a change to what is seen, and read from whatever comes along."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from media import describe, ffmpeg, make_clicks, make_clip, noise, samples_of
from PIL import Image

from memegen.base.errors import OutputError
from memegen.media.video import open_video, write_video
from memegen.provenance import metadata
from memegen.provenance.metadata import MAX_PACKET, SOURCE_TYPES, Found, Marks, read_metadata, write_metadata

MARKS = Marks("mesh", "daisy-bell", 'Sung by "Ada" & <Bob>;\n歌 = ♪ \\ #1')
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".gif", ".webp", ".apng", ".png")
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny file of each kind, without marks but for the comment."""
    folder = tmp_path_factory.mktemp("plain")
    click = make_clicks(folder / "click.wav", seconds=0.5, at=(0.2,))
    made = (write_video(folder / f"a{s}", noise(4), fps=25, audio=click, comment=MARKS.sentence) for s in SUFFIXES)
    return {video.path.suffix: video.path for video in made}


def copied(path: Path, folder: Path) -> Path:
    target = folder / path.name
    target.write_bytes(path.read_bytes())
    return target


def packet(inside: str, attributes: str = "") -> bytes:
    about = f'<rdf:Description xmlns:i="{IPTC}" xmlns:dc="{metadata._NAMESPACES["dc"]}" {attributes}>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{about}{inside}'.encode() + (
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def movie(folder: Path, content: bytes) -> Path:
    """A file of top-level boxes that holds no movie."""
    path = folder / "a.mp4"
    path.write_bytes(struct.pack(">I4s4s4x", 16, b"ftyp", b"isom") + content)
    return path


def in_movie(folder: Path, xmp: bytes) -> Path:
    return movie(folder, struct.pack(">I4s", 24 + len(xmp), b"uuid") + metadata._UUID + xmp)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pictures(path: Path) -> np.ndarray:
    """Every frame of a file, decoded."""
    if path.suffix == ".png":
        return np.array(Image.open(path))[None]
    return np.stack(list(open_video(path).frames()))


# Written and read again


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_marks_are_read_again_and_change_nothing_else(plain: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    path = copied(plain[suffix], tmp_path)
    write_metadata(path, MARKS)
    found = read_metadata(path)
    assert found.source_type == SOURCE_TYPES + "compositeSynthetic"
    assert found.tool == MARKS.tool
    assert found.description == MARKS.sentence
    assert found.rights == MARKS.credit
    assert found.comment == (None if suffix == ".webp" else MARKS.sentence)  # WebP has none
    assert found.problem is None
    assert np.array_equal(pictures(path), pictures(plain[suffix]))
    if suffix in (".mp4", ".mov", ".m4v", ".webm"):
        assert np.array_equal(samples_of(path), samples_of(plain[suffix]))
    if suffix in (".mp4", ".mov", ".m4v"):
        assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")
    elif suffix != ".webm":
        with Image.open(path) as image:
            image.load()
    assert "Video:" in describe(path)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_simple_webp_becomes_an_extended_one(tmp_path: Path, lossless: bool, mode: str) -> None:
    path = tmp_path / "a.webp"
    values = np.random.default_rng(0).integers(0, 256, (31, 47, len(mode)), np.uint8)
    Image.fromarray(values).save(path, lossless=lossless)
    before = np.array(Image.open(path))
    write_metadata(path, MARKS)
    with Image.open(path) as image:
        assert (image.mode, image.size) == (mode, (47, 31))
        assert np.array_equal(np.array(image), before)
    assert read_metadata(path).rights == MARKS.credit


def test_the_path_of_an_own_checkpoint_is_told_to_nobody() -> None:
    for name in ("/home/ada/models/best.pth.tar", r"C:\Ada\best", "mine.safetensors"):
        assert "Engine: own checkpoint. " in Marks(name, "own clip", "x").sentence
    assert "Engine: vox-adv. " in Marks("vox-adv", "own clip", "x").sentence
    assert Marks("vox", "a", "b").source_type == SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("address", ["http://ada:secret@10.0.0.1/a.mp4?key=secret", "HTTPS://x.org/ada/secret.mp4#t"])
def test_the_address_of_an_own_clip_is_told_to_nobody(plain: dict[str, Path], tmp_path: Path, address: str) -> None:
    path = copied(plain[".png"], tmp_path)
    marks = Marks("mesh", "own clip", address)
    write_metadata(path, marks)
    assert read_metadata(path).rights == "a clip from the web"
    assert marks.sentence.endswith("Template: own clip, a clip from the web")
    assert b"secret" not in path.read_bytes()


def test_letters_that_xml_cant_hold_are_left_out(plain: dict[str, Path], tmp_path: Path) -> None:
    path = copied(plain[".png"], tmp_path)
    write_metadata(path, Marks("mesh", "own clip", "a\x00\x1b[31m\ud800\uffffb"))
    assert read_metadata(path).rights == "a  [31m  b"


def test_what_cant_carry_marks_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.mkv can't carry the marks: write one of \.mp4"):
        write_metadata(tmp_path / "a.mkv", MARKS)
    with pytest.raises(OutputError, match="write to another folder"):
        write_metadata(tmp_path / "nowhere" / "a.mp4", MARKS)


# Of other tools


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        ("", 'i:DigitalSourceType="urn:x"'),
        ("<i:DigitalSourceType>urn:x</i:DigitalSourceType>", ""),
        ('<i:DigitalSourceType rdf:resource="urn:x"/>', ""),
    ],
)
def test_every_way_to_write_a_property_is_read(tmp_path: Path, inside: str, attributes: str) -> None:
    xmp = packet(
        inside + "<dc:rights><rdf:Alt><rdf:li>Ada</rdf:li><rdf:li>Eda</rdf:li></rdf:Alt></dc:rights>", attributes
    )
    assert read_metadata(in_movie(tmp_path, xmp)) == Found(source_type="urn:x", rights="Ada")


def test_stills_of_other_tools_are_read(tmp_path: Path) -> None:
    xmp, image = packet("", 'i:DigitalSourceType="urn:x"'), Image.new("RGB", (8, 8))
    image.save(tmp_path / "a.jpg", xmp=xmp, comment="hello")
    assert read_metadata(tmp_path / "a.jpg") == Found(source_type="urn:x", comment="hello")
    image.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    late = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))
    (tmp_path / "a.png").write_bytes(data[:-12] + late + data[-12:])
    assert read_metadata(tmp_path / "a.png").source_type == "urn:x"


def test_user_data_of_quicktime_and_long_boxes_are_read(tmp_path: Path) -> None:
    xmp = packet("", 'i:DigitalSourceType="urn:x"')
    inner = struct.pack(">I4s", 8 + len(xmp), b"XMP_") + xmp
    for parent in (b"udta", b"moov"):
        inner = struct.pack(">I4sQ", 1, parent, 16 + len(inner)) + inner
    assert read_metadata(movie(tmp_path, inner)).source_type == "urn:x"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_comments_of_other_movies_are_read(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", seconds=0.2)
    path = tmp_path / f"a{suffix}"
    ffmpeg("-i", str(clip), "-c", "copy", "-metadata", f"comment={MARKS.credit}", str(path))
    assert read_metadata(path).comment == MARKS.credit


# Of somebody hostile

BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("xmp", "problem"),
    [
        ((BOMB + "]><a>&i;</a>").encode(), "entities"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "entities"),
        ("\ufeff<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16-le"), "can't be read"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16-be"), "not in UTF-8"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16-le"), "not in UTF-8"),
        (b"<?xml version='1.0' encoding='utf-16'?><a", "can't be read"),
        (b"<a>&" + b"b" * 100_000 + b";</a>", "can't be read"),
        (b"x" * (MAX_PACKET + 1), "larger than 1024 kB"),
        (b"\xff\xfe\xfd", "can't be read"),
        (b"<a><b></a>", "can't be read"),
        (b"<a>" * 300_000, "can't be read"),
        (packet("<a>" * 120_000 + "</a>" * 120_000), None),
    ],
    ids=[
        "bomb",
        "external",
        "utf16",
        "utf16be",
        "utf16le",
        "declared",
        "entity",
        "large",
        "bytes",
        "crossed",
        "open",
        "nested",
    ],
)
def test_hostile_xmp_is_left_unread(tmp_path: Path, xmp: bytes, problem: str | None) -> None:
    found = read_metadata(in_movie(tmp_path, xmp))
    assert (found.source_type, found.tool, found.description) == (None, None, None)
    assert problem in found.problem if problem and found.problem else found.problem is problem
    assert len(found.problem or "") < 300


def test_text_beyond_all_measure_in_a_png_is_left_unread(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(20_000_000)))
    (tmp_path / "a.png").write_bytes(data[:33] + text + data[33:])
    assert "can't be read" in (read_metadata(tmp_path / "a.png").problem or "")


@pytest.mark.parametrize(
    "boxes",
    [
        struct.pack(">I4s", 0, b"uuid"),
        struct.pack(">I4sQ", 1, b"uuid", 2**63) + bytes(99),
        struct.pack(">I4sQ", 1, b"uuid", 2**64 - 1) + bytes(99),
        struct.pack(">I4sQ", 1, b"uuid", 3),
        struct.pack(">I4s", 1, b"uuid"),
        struct.pack(">I4s", 4, b"uuid") * 100,
        struct.pack(">I4s", 5000, b"uuid") + metadata._UUID,
        struct.pack(">I4s", 8, b"moov") * 300_000,
        b"".join(struct.pack(">I4s", 8 * n, b"moov") for n in range(20_000, 0, -1)),
        b"\xff" * 999,
    ],
    ids=["zero", "2^63", "2^64", "less", "short", "small", "truncated", "many", "nested", "garbage"],
)
def test_broken_boxes_say_nothing(tmp_path: Path, boxes: bytes) -> None:
    assert read_metadata(movie(tmp_path, boxes)) == Found()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", [1, 12, 33, 0.5, 0.95])
def test_truncated_files_raise_nothing(plain: dict[str, Path], tmp_path: Path, suffix: str, part: float) -> None:
    path = copied(plain[suffix], tmp_path)
    write_metadata(path, MARKS)
    data = path.read_bytes()
    path.write_bytes(data[: int(part if part >= 1 else part * len(data))])
    assert isinstance(read_metadata(path), Found)


def test_a_huge_picture_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    with path.open("wb") as file:
        file.write(b"GIF89a")
        file.truncate(2**33)
    assert read_metadata(path) == Found(problem="pictures over 512 MB are not read")
