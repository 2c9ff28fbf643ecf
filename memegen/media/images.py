"""Any photo a user may have (path, address, bytes, array or Pillow image) becomes one upright uint8 RGB array."""

from __future__ import annotations

import io
import logging
import math
import re
import struct
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from memegen.base.downloads import fetch_url
from memegen.base.errors import InputError, UnavailableError
from memegen.base.files import check_file, is_address, not_media

PhotoSource = str | Path | bytes | np.ndarray | Image.Image

MAX_PIXELS = 100_000_000  # a decoded picture of 300 MB; a larger JPEG still passes when it can be decoded smaller
MAX_BYTES = 200 * 2**20
BACKGROUND = (255, 255, 255)  # what shows through transparent parts

_FORMATS = {"JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "TGA", "ICO", "JPEG2000", "AVIF", "HEIF"}
_PICTURES = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|II\*\0|MM\0\*|\xff\x0a|\0\0\0\x0cJXL ", re.DOTALL)
_MOVIES = re.compile(
    rb"....(?:ftyp|moov|mdat|wide)|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xba\xb3]|FLV\x01|0&\xb2u|G.{187}G|OggS",
    re.DOTALL,
)  # the first bytes of MP4 and MOV, Matroska and WebM, AVI, MPEG, FLV, WMV, MPEG-TS and Ogg
AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_PROFILE_MODES = {  # what a profile of a colour space is for
    "GRAY": ("L", ("1", "L", "LA")),
    "RGB": ("RGB", ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")),
    "CMYK": ("CMYK", ("CMYK",)),
}
PHOTO_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2",
    ".bmp", ".gif", ".tif", ".tiff", ".tga",
}  # fmt: skip
_log = logging.getLogger(__name__)
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    struct.error,
    Image.DecompressionBombError,
)  # what Pillow raises over broken pictures


def read_image(source: PhotoSource, *, max_side: int = 2048) -> np.ndarray:
    """Read one photo: upright as EXIF says, in sRGB, transparent parts on white, first frame of an animation.

    Args:
        source: A path, an http(s) address, the bytes of a picture file, a Pillow image, or an array: grey
            (H, W), grey and alpha (H, W, 2), RGB (H, W, 3) or RGBA (H, W, 4), as uint8 in 0..255, uint16 in
            0..65535, bool, or float in [0, 1].
        max_side: Longest side of the result in pixels; a larger photo is scaled down, a smaller one kept. Faces are
            looked for in the result: small ones in a wide panorama may be lost, so cut out the part with them first.

    Returns:
        The photo, uint8 RGB (H, W, 3), 0..255.

    Raises:
        InputError: If there is no such file, or it is not a picture, damaged, or far too large.
        DownloadError: If the photo at the address can't be downloaded.
        UnavailableError: If it is a HEIC photo and the extra for it is not installed.
    """
    if max_side < 1:
        raise InputError(f"max_side is {max_side}, but a photo needs at least one pixel: use 256 or more.")
    name = _describe(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd EXIF; we refuse what is too large
        image = _open(source, name=name)
        try:
            if image is source:
                image = image.copy()  # what follows decodes and shrinks in place
            return _upright_rgb(image, max_side=max_side, name=name)
        except DAMAGE as error:
            _log.debug("Pillow says: %s", error)
            raise InputError(f"{name} is damaged or incomplete: save it again or use another.") from error


def is_picture(file: Path) -> bool:
    """Return whether a file begins like a photo, whatever its name."""
    with suppress(OSError), file.open("rb") as stream:
        head = stream.read(64)
        return _PICTURES.match(head) is not None or bool(file_brands(head) & (_HEIF_BRANDS | AVIF_BRANDS))
    return False


def photos_in(folder: Path) -> list[Path]:
    """List the photos of a folder by name, without subfolders and hidden files, and name what is left out in a warning.

    Raises:
        InputError: There are none.
    """
    files = sorted(path for path in folder.glob("[!.]*") if path.is_file())
    counts = {path: path.suffix.lower() in PHOTO_SUFFIXES or is_picture(path) for path in files}
    photos = [path for path in files if counts[path]]
    if not photos:
        raise InputError(f"The folder {folder} has no photos: give another, or the photos themselves.")
    if left := [path.name for path in files if not counts[path]]:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        _log.warning("Left out of %s, as they are not photos: %s%s.", folder, ", ".join(left[:5]), more)
    return photos


def is_movie(file: Path | bytes) -> bool:
    """Return whether a file, or its content, begins like a video; animated pictures count as photos."""
    with suppress(OSError), io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as stream:
        head = stream.read(256)
        return _MOVIES.match(head) is not None and not file_brands(head[:64]) & (_HEIF_BRANDS | AVIF_BRANDS)
    return False


def is_heif(head: bytes) -> bool:
    """Return whether a file is a HEIC photo, given its first 64 bytes; an AVIF may begin with the same brand."""
    brands = file_brands(head)
    return bool(brands & _HEIF_BRANDS) and not brands & AVIF_BRANDS


def file_brands(head: bytes) -> set[bytes]:
    """Return what the first 64 bytes of a file of the MP4 family say that it is."""
    if head[4:8] != b"ftyp":
        return set()
    return {head[at : at + 4] for at in (8, *range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4))}


def _describe(source: PhotoSource) -> str:
    """Return the words that stand for the source in messages."""
    if isinstance(source, str | Path):
        return f"The photo {source}"
    return "The photo array" if isinstance(source, np.ndarray) else "The photo"


def _open(source: PhotoSource, *, name: str) -> Image.Image:
    """Return a Pillow image, not yet decoded where it comes from a file."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, name=name)
    if isinstance(source, bytes):
        return _decode(source, name=name)
    if is_address(source):
        return _decode(_download(source), name=name)
    if not isinstance(source, str | Path):
        raise InputError(f"A photo can't be a {type(source).__name__}: give a path, an address, bytes or an array.")
    file = check_file(source, kind="photo")
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES >> 20} MB: save a smaller copy, such as a JPEG.")
    return _decode(file.read_bytes(), name=name)


def _decode(data: bytes, *, name: str) -> Image.Image:
    """Return the picture in a file's bytes, checked to be of a kind we decode."""
    if not data:
        raise InputError(f"{name} is empty: copy or download it again.")
    if is_heif(data[:64]):
        _register_heif(name)
    try:
        # An AVIF may look like a HEIC to the reader of those, once that is registered.
        image = Image.open(io.BytesIO(data), formats=["AVIF"] if file_brands(data[:64]) & AVIF_BRANDS else None)
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} has far too many pixels: save a smaller copy.") from error
    except DAMAGE as error:
        raise InputError(f"{name} {_not_a_picture(data)}") from error
    if image.format not in _FORMATS:
        raise InputError(f"{name} is a {image.format} file: save it as JPEG or PNG.")
    return image


def _not_a_picture(data: bytes) -> str:
    """Return the end of a sentence about bytes that no picture decoder knows."""
    if kind := not_media(data[:1024]):
        return f"is {kind}, not a picture: use the picture itself."
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "is a JPEG XL photo, which can't be read here: save it as JPEG."
    if file_brands(data[:64]) & AVIF_BRANDS:
        return "is an AVIF photo that can't be read: run pip install -U pillow, or save it as JPEG."
    return "is not a picture that can be read: use a JPEG, PNG, WebP or HEIC file."


def _register_heif(name: str) -> None:
    """Teach Pillow to read the HEIC photos of phones."""
    try:
        import pillow_heif
    except ImportError as error:
        raise UnavailableError(
            f'{name} is a HEIC photo: run pip install "memegen-sings[heif]", or save it as JPEG first.'
        ) from error
    pillow_heif.register_heif_opener()


def _download(url: str) -> bytes:
    """Return what is at an http(s) address, at most MAX_BYTES; nothing is kept in the cache."""
    with tempfile.TemporaryDirectory(prefix="memegen-") as folder:
        return fetch_url(url, folder=Path(folder), limit=MAX_BYTES).read_bytes()


def _from_array(array: np.ndarray, *, name: str) -> Image.Image:
    """Return an array as a Pillow image, brought to 8 bits a channel."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (2, 3, 4))) or array.size == 0:
        raise InputError(f"{name} has the shape {array.shape}: give (height, width, 3), colours in the order RGB.")
    return Image.fromarray(np.ascontiguousarray(_eight_bit(array, name=name)))


def _eight_bit(array: np.ndarray, *, name: str) -> np.ndarray:
    """Scale uint8, bool, uint16 (0..65535) or float ([0, 1]) to uint8 (0..255) without clipping."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{name} holds {array.dtype} numbers: convert it to uint8 (0 to 255) first.")
    if not (array.min() >= 0 and array.max() <= 1):
        raise InputError(f"{name} holds fractions outside 0 to 1: scale it to 0 to 1, or convert it to uint8.")
    scaled: np.ndarray = np.rint(array * 255).astype(np.uint8)
    return scaled


def _upright_rgb(image: Image.Image, *, max_side: int, name: str) -> np.ndarray:
    """Decode, turn, flatten and shrink a picture: uint8 RGB (H, W, 3)."""
    shrink = min(1.0, 2 * max_side / max(image.size))  # twice the size wanted, so that the last step stays sharp
    image.draft(None, (math.ceil(image.width * shrink), math.ceil(image.height * shrink)))  # only JPEG can
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise InputError(f"{name} has {size} pixels, more than {MAX_PIXELS // 10**6} million: save a smaller copy.")
    for words in ("xmp", "XML:com.adobe.xmp"):  # like browsers, believe only EXIF about which side is up
        image.info.pop(words, None)
    rgb = _flatten(_to_srgb(_eight_bit_mode(ImageOps.exif_transpose(image), name=name)))
    rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.array(rgb)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture with a colour profile to sRGB, with its transparency.

    One whose profile is damaged, or belongs to another kind of picture, is left as it is, as browsers do.
    """
    if not (profile := image.info.get("icc_profile")):
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode, modes = _PROFILE_MODES.get(source.profile.xcolor_space.strip(), ("", ()))
        if image.mode not in modes:
            return image
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        plain = image.convert("RGBA").convert("RGB") if alpha and mode == "RGB" else image.convert(mode)
        converted = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *DAMAGE):
        return image
    if converted and alpha:
        converted.putalpha(alpha)
    return converted or image


def _eight_bit_mode(image: Image.Image, *, name: str) -> Image.Image:
    """Bring a grey picture of more than 8 bits to 8, and keep its profile."""
    profile = image.info.get("icc_profile")
    if image.mode == "I":  # how some Pillow versions hold 16-bit grey
        image = Image.fromarray(np.clip(np.asarray(image), 0, 65535).astype(np.uint16))
    if image.mode == "F" or image.mode.startswith("I;16"):
        native = np.asarray(image)
        image = _from_array(native.astype(native.dtype.newbyteorder("=")), name=name)
        image.info["icc_profile"] = profile
    return image


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any colour mode of 8 bits to RGB, transparent parts on BACKGROUND."""
    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    return image.convert("RGB")
