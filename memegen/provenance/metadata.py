"""What a finished file says of its making in its metadata: XMP with IPTC's digital source type, and a comment.

Sources: Adobe's XMP specification, part 3 (where each kind of file keeps its packet); IPTC's NewsCodes
"digitalsourcetype". docs/provenance.md says which term is used when, and why.
"""

from __future__ import annotations

import mmap
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

from memegen.base.errors import OutputError
from memegen.base.version import __version__
from memegen.media.encoders import MOVIES
from memegen.media.ffmpeg import reading, run

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MAX_PACKET = 2**20  # bytes of XMP that are read; ours has about 800
MAX_COMMENT = 10_000  # letters of a comment that are read
MAX_PICTURE = 2**29  # bytes of an image file that is looked into: Pillow reads some kinds whole

_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # of the XMP box in MP4 and QuickTime files
_GIF_HEAD = b"\x21\xff\x0bXMP DataXMP"
_GIF_TAIL = bytes([1, *range(255, -1, -1), 0])  # leads readers that skip by block lengths to the end
_PNG_KEYWORD = b"XML:com.adobe.xmp\0\0\0\0\0"
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    struct.error,
    Image.DecompressionBombError,
)  # what Pillow raises over broken pictures, but for ValueError, which also stands for text that is far too long

_PICTURES = (b"GIF8", b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*")  # how they begin, but for WebP
_KINDS = ("AVIF", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # images that may hold XMP, in Pillow's words
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1")  # brands of the stills of phones
_PNG_PIXELS = 2**26  # a larger PNG is not decoded for the sake of text behind its picture
_BOXES = 10_000  # boxes of a movie that are looked at
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf", b"mvex", b"moof", b"traf"}
_COMMENT = re.compile(r"^(?:com\.apple\.quicktime\.)?comment=((?:\\[\s\S]|[^\\\n])*)", re.MULTILINE | re.IGNORECASE)
_UNPRINTED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # letters that XML can't hold


@dataclass(frozen=True)
class Marks:
    """What is said of a meme: nothing of the user, no path, no place and no time.

    Attributes:
        engine: "mesh", or the name of a checkpoint; the path of a user's own is not passed on.
        template: Public name of the driving clip.
        credit: Whose performance and song it is; the address of a user's own clip is not passed on.
    """

    engine: str
    template: str
    credit: str

    @property
    def source_type(self) -> str:
        """IPTC's digital source type, a URI: a trained renderer made it, or a synthetic composite of captured parts."""
        return SOURCE_TYPES + (
            "compositeSynthetic" if self.engine == "mesh" else "compositeWithTrainedAlgorithmicMedia"
        )

    @property
    def tool(self) -> str:
        """Name and version of the program."""
        return f"memegen {__version__}"

    @property
    def rights(self) -> str:
        """The credit, without what an address may tell: a name, a password or a key."""
        return "a clip from the web" if "://" in self.credit else _UNPRINTED.sub(" ", self.credit)

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        engine = "own checkpoint" if re.search(r"[/\\.]", self.engine) else self.engine
        told = f"Made with AI by {self.tool}: a photo moved by a performance. Engine: {engine}."
        return _UNPRINTED.sub(" ", f"{told} Template: {self.template}, {self.rights}")


@dataclass(frozen=True)
class Found:
    """What was read of a file's metadata; None where it says nothing.

    Attributes:
        source_type: IPTC's digital source type, the URI or whatever stands there.
        tool: The program that made the file.
        description: What the file says that it shows.
        rights: Whose it is.
        comment: The container's comment.
        problem: Why the XMP could not be read, though there is some.
    """

    source_type: str | None = None
    tool: str | None = None
    description: str | None = None
    rights: str | None = None
    comment: str | None = None
    problem: str | None = None


def write_metadata(path: Path, marks: Marks) -> None:
    """Add the marks to a finished file, in place; the picture and the sound stay as they are.

    Args:
        path: A movie, GIF, WebP or PNG that has no XMP yet.
        marks: What to say.

    Raises:
        OutputError: The file can't be written.
    """
    packet, suffix = _packet(marks), path.suffix.lower()
    places = {".gif": _in_gif, ".webp": _in_webp, ".png": _in_png}
    if suffix not in (*MOVIES, *places):
        raise OutputError(f"{path.name} can't carry the marks: write one of {', '.join((*MOVIES, *places))}.")
    try:
        if suffix in MOVIES:
            with path.open("ab") as file:
                file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + _UUID + packet)
        else:
            path.write_bytes(places[suffix](path.read_bytes(), packet, marks.sentence))
    except OSError as error:
        raise OutputError(f"The marks can't be written into {path.name} ({error}): write to another folder.") from error


def read_metadata(path: Path) -> Found:
    """Read what a file says of its making; never more than MAX_PACKET of it, and no entities are resolved.

    Args:
        path: A movie, GIF, WebP, PNG or JPEG, whatever its name; anything else says nothing.
    """
    comment = None
    if is_huge_picture(path):
        return Found(problem=f"a picture of more than {MAX_PICTURE >> 20} MB is not read")
    try:
        packet, comment = _image_packet(path) or (_movie_packet(path), _movie_comment(path))
        return Found(comment=comment) if packet is None else _parsed(packet, comment)
    except (ValueError, ElementTree.ParseError, RecursionError, MemoryError) as error:
        return Found(comment=comment, problem=f"its XMP can't be read ({str(error)[:200]})")
    except OSError as error:
        return Found(problem=f"the file can't be read ({error.strerror})")


def is_huge_picture(path: Path) -> bool:
    """Whether a file is an image of more than MAX_PICTURE bytes: its readers may take it into memory as a whole."""
    with path.open("rb") as file:
        head = file.read(12)
        named = head.startswith(_PICTURES) or head[8:] == b"WEBP" or path.suffix.lower() == ".webp"
        return named and file.seek(0, 2) > MAX_PICTURE


def is_heif(path: Path) -> bool:
    """Whether a file is a HEIC photo, by its beginning."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIF


def has_countless_boxes(path: Path) -> bool:
    """Whether a movie has more boxes than are looked at: the time that readers take may grow with their square."""
    budget = iter(range(_BOXES))
    with path.open("rb") as file:
        spans = [(0, file.seek(0, 2))]
        while spans:
            for place, size, kind in _boxes(file, *spans.pop(), budget):
                if kind in _CONTAINERS:
                    spans.append((place, place + size))
    return next(budget, None) is None


def _packet(marks: Marks) -> bytes:
    spaces = " ".join(f"xmlns:{name}={quoteattr(uri)}" for name, uri in _NAMESPACES.items() if name not in ("x", "rdf"))
    texts = (("dc:description", marks.sentence), ("dc:rights", marks.rights))
    parts = "".join(
        f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{name}>'
        for name, text in texts
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="{_NAMESPACES["x"]}"><rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}">'
        f'<rdf:Description rdf:about="" {spaces} xmp:CreatorTool={quoteattr(marks.tool)} '
        f"Iptc4xmpExt:DigitalSourceType={quoteattr(marks.source_type)}>{parts}</rdf:Description>"
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _in_gif(data: bytes, packet: bytes, _: str) -> bytes:
    """Put the packet before the first picture: behind the last, ffmpeg would take it for one more."""
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)  # behind the header and its colours
    while data[place : place + 2] in (b"\x21\xff", b"\x21\xfe"):  # how often it repeats has to come first
        place += 2
        while data[place]:
            place += 1 + data[place]
        place += 1
    return data[:place] + _GIF_HEAD + packet + _GIF_TAIL + data[place:]


def _in_webp(data: bytes, packet: bytes, _: str) -> bytes:
    """Add an XMP chunk at the end and say in the header, which comes first in an extended file, that it is there."""
    body = bytearray(data[12:])
    if body[:4] != b"VP8X":
        body[:0] = _webp_header(data)
    body[8] |= 0x04
    body += b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + bytes(body)


def _webp_header(data: bytes) -> bytes:
    """Make the header of an extended file for a simple one."""
    import io

    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        alpha = 0x10 if image.mode == "RGBA" else 0
    size: bytes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<II", 10, alpha) + size


def _in_png(data: bytes, packet: bytes, comment: str) -> bytes:
    """Put a text chunk for the packet and one for the comment, of the older kind if that will do, after the header."""
    try:
        texts = _png_chunk(b"tEXt", b"Comment\0" + comment.encode("latin-1"))
    except UnicodeEncodeError:
        texts = _png_chunk(b"iTXt", b"Comment\0\0\0\0\0" + comment.encode())
    texts += _png_chunk(b"iTXt", _PNG_KEYWORD + packet)
    return data[:33] + texts + data[33:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _image_packet(path: Path) -> tuple[bytes | None, str | None] | None:
    """The XMP and the comment of a still or animated image; None if it is not one that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures
            with Image.open(path, formats=_kinds(path)) as image:
                info = _texts(image)
                packet: Any = _gif_packet(path) if image.format == "GIF" else info.get("xmp", info.get(_PNG_NAME))
    except DAMAGE:
        return None
    comment = info.get("comment")
    comment = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    return packet, comment and str(comment)[:MAX_COMMENT]


def _kinds(path: Path) -> list[str]:
    """The kinds of images to try on a file, as far as they can be read here."""
    Image.init()
    if is_heif(path):
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    return [kind for kind in _KINDS if kind in Image.OPEN]


_PNG_NAME = _PNG_KEYWORD.rstrip(b"\0").decode().lower()


def _texts(image: Image.Image) -> dict[str, Any]:
    """What Pillow read beside the picture, by names in small letters."""
    if image.format == "PNG" and image.width * image.height <= _PNG_PIXELS:
        with suppress(OSError, SyntaxError):
            image.load()  # text may come after the picture
    texts = image.info | (getattr(image, "text", {}) if image.format == "PNG" else {})
    return {key.lower(): value for key, value in texts.items() if isinstance(key, str)}


def _gif_packet(path: Path) -> bytes | None:
    """Find the packet of a GIF; Pillow leaves it out."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_GIF_HEAD)
        if start < 0:
            return None
        start += len(_GIF_HEAD)
        end = data.find(_GIF_TAIL[:16], start, start + MAX_PACKET + 300)
        return bytes(data[start : end if end >= 0 else start + MAX_PACKET + 1])


def _movie_packet(path: Path) -> bytes | None:
    """Find the packet of an MP4 or QuickTime file: in a box of its own at the top, or among QuickTime's user data."""
    with path.open("rb") as file:
        budget = iter(range(_BOXES))
        place, size = next(_packets(file, 0, file.seek(0, 2), budget), (0, 0))
        file.seek(place)
        return file.read(min(size, MAX_PACKET + 1)) or None


def _packets(
    file: Any, start: int, end: int, budget: Iterator[int], inside: tuple[bytes, ...] = (b"moov", b"udta")
) -> Iterator[tuple[int, int]]:
    """Walk the boxes for packets: where each starts and how long it is."""
    for place, size, kind in _boxes(file, start, end, budget):
        file.seek(place)
        if kind == b"uuid" and size > 16 and file.read(16) == _UUID:
            yield place + 16, size - 16
        elif kind == b"XMP_":
            yield place, size
        elif inside and kind == inside[0]:
            yield from _packets(file, place, place + size, budget, inside[1:])


def _boxes(file: Any, start: int, end: int, budget: Iterator[int]) -> Iterator[tuple[int, int, bytes]]:
    """Walk the boxes between two places: where the content starts, how long it is, and its kind."""
    for _ in budget:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8 or end - start < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        size = size or end - start  # 0 stands for the rest
        if size < header or start + size > end:
            return
        yield start + header, size - header, kind
        start += size


def _movie_comment(path: Path) -> str | None:
    """Read the comment tag of a movie."""
    told = run(*reading(path), "-f", "ffmetadata", "-").stdout.decode("utf-8", "replace")
    found = _COMMENT.search(told.partition("\n[")[0])  # the file's own come before those of its streams
    return re.sub(r"\\([\s\S])", r"\1", found[1])[:MAX_COMMENT] if found else None


def _parsed(packet: bytes, comment: str | None) -> Found:
    if len(packet) > MAX_PACKET:
        raise ValueError(f"it is larger than {MAX_PACKET >> 10} kB")
    text = packet.rstrip(b"\0").decode("utf-8").lstrip("\ufeff")
    if "\0" in text:
        raise ValueError("it is not in UTF-8")  # expat would read on, in UTF-16
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares entities, which XMP never needs")
    root = ElementTree.fromstring(text.strip())  # noqa: S314 - expat resolves nothing that was not declared
    return Found(
        source_type=_said(root, "Iptc4xmpExt", "DigitalSourceType"),
        tool=_said(root, "xmp", "CreatorTool"),
        description=_said(root, "dc", "description"),
        rights=_said(root, "dc", "rights"),
        comment=comment,
    )


def _said(root: ElementTree.Element, space: str, name: str) -> str | None:
    """A property's value, however it is written: an attribute, text, a reference or the first of several."""
    tag, rdf = f"{{{_NAMESPACES[space]}}}{name}", f"{{{_NAMESPACES['rdf']}}}"
    for element in root.iter():
        if tag in element.attrib:
            return element.attrib[tag]
        if element.tag == tag:
            first = next(element.iter(f"{rdf}li"), element)
            return element.get(f"{rdf}resource") or "".join(first.itertext()).strip() or None
    return None
