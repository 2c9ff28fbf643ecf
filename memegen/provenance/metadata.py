"""Metadata that say how a file was made: XMP with IPTC's digital source type, and a comment.

Sources: Adobe's XMP specification, part 3 (where each format keeps its packet); IPTC's NewsCodes "digitalsourcetype".
"""

from __future__ import annotations

import html
import io
import logging
import mmap
import re
import struct
import warnings
import zlib
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from PIL import Image
from PIL.PngImagePlugin import PngInfo, putchunk

from memegen.base.errors import OutputError
from memegen.base.version import __version__
from memegen.media.encoders import MOVIES, SUFFIXES
from memegen.media.ffmpeg import make, reading, run
from memegen.media.gif import after_gif_header
from memegen.media.images import DAMAGE

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SWAP = "swap"  # stands for a face swap where engines and templates are named,
SWAP_NUMBER = zlib.crc32(SWAP.encode())  # and in the invisible mark
MAX_PACKET = 2**20  # bytes of the longest XMP that is read; ours has about 800
MAX_COMMENT = 10_000  # a longer comment is cut to this many letters
MAX_PICTURE = 2**29  # bytes of the largest image file that is opened: Pillow reads some formats into memory whole

_log = logging.getLogger(__name__)
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # names the XMP box in MP4 and QuickTime files
_GIF_HEAD = b"\x21\xff\x0bXMP DataXMP"
_GIF_TAIL = bytes([1, *range(255, -1, -1), 0])  # leads readers that skip block by block to the end of the packet
_PNG_KEYWORD = "XML:com.adobe.xmp"

_PICTURES = (b"GIF8", b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*")  # first bytes of image files, WebP aside
_FORMATS = ("AVIF", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # Pillow's names of those that may hold XMP
_PNG_PIXELS = 2**26  # a larger PNG is not decoded to find text behind its picture
_BOXES = 10_000  # most boxes of a movie that are read
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf", b"mvex", b"moof", b"traf"}
_TAG = r"^(?:com\.apple\.quicktime\.)?{}=((?:\\[\s\S]|[^\\\n])*)"
_MATROSKA = b"\x1a\x45\xdf\xa3"  # first bytes of a WebM, which keeps the packet in a tag of this name:
_MATROSKA_TAG = "XMP"
_UNPRINTED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML can't hold


@dataclass(frozen=True)
class Marks:
    """What memegen says about a meme: nothing about the user, and no path, place or time.

    Attributes:
        engine: "mesh", SWAP, or the name of a checkpoint; the path of a user's own checkpoint is not written.
        template: Public name of the driving clip.
        credit: Who performed it and who wrote the song; the address of a user's own clip is not written.
        subject: What was moved: "photo" or "video".
    """

    engine: str
    template: str
    credit: str
    subject: str = "photo"

    @property
    def source_type(self) -> str:
        """IPTC's digital source type, a URI: no trained network draws the mesh engine's pixels."""
        trained = self.engine != "mesh"
        return SOURCE_TYPES + ("compositeWithTrainedAlgorithmicMedia" if trained else "compositeSynthetic")

    @property
    def parts(self) -> tuple[str, str]:
        """What the clip was made of."""
        return ("face", "video") if self.engine == SWAP else (self.subject, f"template {self.template}")

    @property
    def tool(self) -> str:
        """Name and version of the program."""
        return f"memegen {__version__}"

    @property
    def rights(self) -> str:
        """The credit; an address is left out, because it may hold a name, a password or a key."""
        return "a clip from the web" if "://" in self.credit else _UNPRINTED.sub(" ", self.credit)

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        if self.engine == SWAP:
            how = "another person's face in a video, drawn by networks trained on both people"
            return f"Made with AI by {self.tool}: {how}."
        engine = "own checkpoint" if re.search(r"[/\\.]", self.engine) else self.engine
        said = f"Made with AI by {self.tool}: a {self.subject} moved by a performance. Engine: {engine}."
        return _UNPRINTED.sub(" ", f"{said} Template: {self.template}, {self.rights}")


@dataclass(frozen=True)
class Found:
    """What a file's metadata say; None where they say nothing.

    Attributes:
        source_type: IPTC's digital source type: a URI, or whatever the file has instead.
        tool: The program that made the file.
        description: What the file shows.
        rights: Whose it is.
        comment: The comment of the file format.
        problem: Why the file's XMP could not be read.
    """

    source_type: str | None = None
    tool: str | None = None
    description: str | None = None
    rights: str | None = None
    comment: str | None = None
    problem: str | None = None


def write_metadata(path: Path, marks: Marks) -> None:
    """Add the marks to a finished file, in place; picture and sound stay as they are.

    Args:
        path: A movie, WebM, GIF, WebP or PNG, animated or not, that has no XMP yet.
        marks: What to say.

    Raises:
        OutputError: The file can't be written.
    """
    packet, suffix = _packet(marks), path.suffix.lower()
    writers = {".gif": _in_gif, ".webp": _in_webp, ".png": _in_png, ".apng": _in_png}
    if suffix == ".webm":
        _tag_webm(path, packet)
        return
    if suffix not in (*MOVIES, *writers):
        raise OutputError(f"{path.name} can't carry the marks: write one of {', '.join(SUFFIXES)}.")
    try:
        if suffix in MOVIES:
            with path.open("ab") as file:
                file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + _UUID + packet)
        else:
            path.write_bytes(writers[suffix](path.read_bytes(), packet, marks.sentence))
    except OSError as error:
        problem = f"The marks can't be written into {path.name} ({error.strerror}): write to another folder."
        raise OutputError(problem) from error


def read_metadata(path: Path) -> Found:
    """Read what a file says about how it was made: at most MAX_PACKET bytes of XMP, and no XML entities.

    Args:
        path: A movie, GIF, WebP, PNG or JPEG, whatever its name; nothing is found in other files.
    """
    comment = None
    if is_huge_picture(path):
        return Found(problem=f"pictures over {MAX_PICTURE >> 20} MB are not read")
    try:
        packet, comment = _image_packet(path) or (_movie_packet(path), _movie_tag(path, "comment", MAX_COMMENT))
        return Found(comment=comment) if packet is None else _parsed(packet, comment)
    except (UnicodeDecodeError, ElementTree.ParseError, RecursionError, MemoryError) as error:
        _log.debug("The XMP of %s can't be read: %s", path.name, error)
        return Found(comment=comment, problem="the XMP can't be read: it is damaged")
    except ValueError as error:
        return Found(comment=comment, problem=f"the XMP can't be read ({error})")
    except OSError as error:
        return Found(problem=f"the file can't be read ({error.strerror})")


def is_huge_picture(path: Path) -> bool:
    """Return whether a file is an image of more than MAX_PICTURE bytes, which a reader might load as a whole."""
    with path.open("rb") as file:
        head = file.read(12)
        named = head.startswith(_PICTURES) or head[8:] == b"WEBP" or path.suffix.lower() == ".webp"
        return named and file.seek(0, 2) > MAX_PICTURE


def has_countless_boxes(path: Path) -> bool:
    """Return whether a movie has too many boxes to be checked: a reader's time may grow with their square."""
    with path.open("rb") as file:
        return any(True for _ in islice(_boxes(file, _CONTAINERS), _BOXES, None))


def _packet(marks: Marks) -> bytes:
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in _NAMESPACES.items() if name not in ("x", "rdf"))
    parts = "".join(
        f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{html.escape(text)}</rdf:li></rdf:Alt></{name}>'
        for name, text in (("dc:description", marks.sentence), ("dc:rights", marks.rights))
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="{_NAMESPACES["x"]}"><rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}">'
        f'<rdf:Description rdf:about="" {spaces} xmp:CreatorTool="{html.escape(marks.tool)}" '
        f'Iptc4xmpExt:DigitalSourceType="{html.escape(marks.source_type)}">{parts}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _tag_webm(path: Path, packet: bytes) -> None:
    """Copy a WebM with the packet in a tag; every picture and sound stays as it is."""
    tagged = path.with_name(f"tagged-{path.name}")
    every = ("-map", "0", "-c", "copy", "-metadata", f"{_MATROSKA_TAG}={packet.decode()}")
    make(*reading(path), *every, str(tagged), name=path)
    tagged.replace(path)


def _in_gif(data: bytes, packet: bytes, _: str) -> bytes:
    """Insert the packet before the first picture; ffmpeg would take it for one more frame after the last."""
    place = after_gif_header(data)
    while data[place : place + 2] in (b"\x21\xff", b"\x21\xfe"):  # what makes a GIF loop has to stay first
        place += 2
        while data[place]:  # the length of a block; 0 ends the extension
            place += 1 + data[place]
        place += 1
    return data[:place] + _GIF_HEAD + packet + _GIF_TAIL + data[place:]


def _in_webp(data: bytes, packet: bytes, _: str) -> bytes:
    """Append an XMP chunk and set the flag for it in the header chunk, which a simple file gets for this."""
    body = bytearray(data[12:])
    if body[:4] != b"VP8X":
        with Image.open(io.BytesIO(data)) as image:
            sides = b"".join((side - 1).to_bytes(3, "little") for side in image.size)
            body[:0] = b"VP8X" + struct.pack("<II", 10, 0x10 if image.mode == "RGBA" else 0) + sides
    body[8] |= 0x04
    body += b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + bytes(body)


def _in_png(data: bytes, packet: bytes, comment: str) -> bytes:
    """Insert a text chunk for the comment and one for the packet behind the header chunk, which ends at byte 33."""
    texts, chunks = PngInfo(), io.BytesIO()
    texts.add_text("Comment", comment)
    texts.add_itxt(_PNG_KEYWORD, packet.decode())
    for kind, content, *_ in texts.chunks:
        putchunk(chunks, kind, content)
    return data[:33] + chunks.getvalue() + data[33:]


def _image_packet(path: Path) -> tuple[bytes | None, str | None] | None:
    """Return the XMP and the comment of a still or animated image; None if the file is not a readable image."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    try:
        known = [name for name in _FORMATS if name in Image.OPEN]
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=known) as image:  # of large pictures
            texts = _texts(image)
        packet: Any = _gif_packet(path) if image.format == "GIF" else texts.get("xmp", texts.get(_PNG_KEYWORD.lower()))
    except ValueError as error:
        raise ValueError("its texts are far too long") from error
    except DAMAGE:
        return None
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    comment = texts.get("comment")
    comment = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    return packet, comment and str(comment)[:MAX_COMMENT]


def _texts(image: Image.Image) -> dict[str, Any]:
    """Return the texts that Pillow read beside the picture, by their names in lower case."""
    if image.format == "PNG" and image.width * image.height <= _PNG_PIXELS:
        with suppress(OSError, SyntaxError):
            image.load()  # text may come after the picture
    texts = image.info | (getattr(image, "text", {}) if image.format == "PNG" else {})
    return {key.lower(): value for key, value in texts.items() if isinstance(key, str)}


def _gif_packet(path: Path) -> bytes | None:
    """Return the packet of a GIF, which Pillow does not read."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_GIF_HEAD)
        if start < 0:
            return None
        start += len(_GIF_HEAD)
        end = data.find(_GIF_TAIL[:16], start, start + MAX_PACKET + 300)
        return bytes(data[start : end if end >= 0 else start + MAX_PACKET + 1])


def _movie_packet(path: Path) -> bytes | None:
    """Return the packet of an MP4 or QuickTime file: from a box of its own, or from QuickTime's user data.

    That of a WebM is in a tag.
    """
    with path.open("rb") as file:
        if file.read(4) == _MATROSKA:
            packet = _movie_tag(path, _MATROSKA_TAG, MAX_PACKET + 1)
            return packet.encode() if packet else None
        for place, size, kind in islice(_boxes(file, (b"moov", b"udta")), _BOXES):
            file.seek(place)
            if kind == b"uuid" and size > 16 and file.read(16) == _UUID:
                return file.read(min(size - 16, MAX_PACKET + 1))
            if kind == b"XMP_":
                return file.read(min(size, MAX_PACKET + 1)) or None
    return None


def _boxes(file: BinaryIO, containers: Container[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the boxes of a movie in order, and those in containers: where the content starts, its size and the kind."""
    spans = [(0, file.seek(0, 2))]  # what is left to read: of the file, and of each container that is open
    while spans:
        start, end = spans.pop()
        file.seek(start)
        head = file.read(16)
        if len(head) < 8 or end - start < 8:
            continue
        size, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        size = size or end - start  # 0 means: up to the end
        if size < header or start + size > end:
            continue
        yield start + header, size - header, kind
        spans.append((start + size, end))
        if kind in containers:
            spans.append((start + header, start + size))


def _movie_tag(path: Path, name: str, most: int) -> str | None:
    """Return a tag of a movie, cut to so many letters."""
    told = run(*reading(path), "-f", "ffmetadata", "-").stdout.decode("utf-8", "replace")
    # Tags of the file come before those of its streams.
    found = re.search(_TAG.format(name), told.partition("\n[")[0], re.MULTILINE | re.IGNORECASE)
    return re.sub(r"\\([\s\S])", r"\1", found[1])[:most] if found else None


def _parsed(packet: bytes, comment: str | None) -> Found:
    if len(packet) > MAX_PACKET:
        raise ValueError(f"it is larger than {MAX_PACKET >> 10} kB")
    text = packet.rstrip(b"\0").decode("utf-8").lstrip("\ufeff")
    if "\0" in text:
        raise ValueError("it is not in UTF-8")  # expat would go on reading it as UTF-16
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares entities, which XMP never needs")
    root = ElementTree.fromstring(text.strip())  # noqa: S314 - expat resolves only entities that are declared
    return Found(
        source_type=_property(root, "Iptc4xmpExt", "DigitalSourceType"),
        tool=_property(root, "xmp", "CreatorTool"),
        description=_property(root, "dc", "description"),
        rights=_property(root, "dc", "rights"),
        comment=comment,
    )


def _property(root: ElementTree.Element, space: str, name: str) -> str | None:
    """Return a property's value, whether written as attribute, text, reference or the first of several."""
    tag, rdf = f"{{{_NAMESPACES[space]}}}{name}", f"{{{_NAMESPACES['rdf']}}}"
    for element in root.iter():
        if tag in element.attrib:
            return element.attrib[tag]
        if element.tag == tag:
            first = next(element.iter(f"{rdf}li"), element)
            return element.get(f"{rdf}resource") or "".join(first.itertext()).strip() or None
    return None
