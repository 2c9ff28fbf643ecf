"""Getting files once and keeping them: the cache folder, bundled assets, and downloads that resume and are checked."""

from __future__ import annotations

import errno
import glob
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urlsplit

from memegen.base.errors import DownloadError, InputError, OutputError, UnavailableError
from memegen.base.files import expanded

if TYPE_CHECKING:
    import requests

TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes of a file."""

ATTEMPTS = 3
"""How often a mirror is asked again, in one run, after its connection was cut."""

_CHUNK = 64 * 1024
_DRIVE_ADDRESS = re.compile(r"https?://(?:drive|docs)(?:\.usercontent)?\.google\.com/(?:.*?[?&]id=|.*?/d/)([\w-]{10,})")
_HASH = re.compile(r"[0-9a-f]{16,64}")
_QUOTA = re.compile(r"too many users|quota|daily limit", re.IGNORECASE)
_QUOTA_REASON = "Google Drive's daily limit for this file was reached, try again tomorrow"
_KEPT = "what came is kept and the next try goes on from there"
_STATUS_REASONS = {
    401: "it asks for a password",
    403: "it does not give this file to everybody",
    404: "the file is not there",
    410: "the file is gone for good",
    429: "too many people ask it for files just now, try again later",
}


@dataclass(frozen=True)
class Mirror:
    """One place a file can be had from.

    Mirrors of one file may hold different bytes (another cut of a clip, a slimmer copy), each with its own checksum.

    Attributes:
        url: An http(s) address, a Google Drive address, or a bare Google Drive id.
        sha256: The checksum in lower-case hexadecimal, or its first 16 digits or more; None where nobody published it.
    """

    url: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not _HASH.fullmatch(self.sha256):
            raise ValueError(f"sha256 of {self.url} must be 16 to 64 lower-case hexadecimal digits: {self.sha256!r}")


def cache_dir() -> Path:
    """Give the folder that downloads are kept in: MEMEGEN_CACHE, or the platform's own cache folder.

    The folder may not exist yet.

    Raises:
        OutputError: The user has no home.
    """
    chosen = os.environ.get("MEMEGEN_CACHE")
    if chosen:
        return expanded(chosen).absolute()
    import pooch

    try:
        return Path(pooch.os_cache("memegen"))
    except RuntimeError as error:  # a user without a home, as in some containers
        raise OutputError("There is no home folder for the cache: name a folder in MEMEGEN_CACHE.") from error


def asset(name: str) -> Path:
    """Give the path of a file that travels with memegen, such as `models/face_landmark.tflite`.

    Raises:
        UnavailableError: The installation lacks the file.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise UnavailableError(f"The bundled file {name} is missing from this installation: reinstall memegen.")


def fetch(name: str, mirrors: Sequence[Mirror], *, folder: str, progress: bool = True) -> Path:
    """Give the local path of a known file, downloading it from the first mirror that serves it whole.

    A file gets its name only once it is complete and its checksum is right, so one that is there is used as it is,
    without touching the network: a file put there by hand works too. What a cut connection left is kept beside it,
    apart for each mirror, and the next try goes on from there. Processes wanting the same file wait for each other.

    Args:
        name: The file's name in the cache.
        mirrors: Where to get it, best first.
        folder: The folder inside the cache, such as "templates" or "checkpoints".
        progress: Whether to draw a progress bar on stderr.

    Raises:
        DownloadError: No mirror gave the file, with the reason for each, or the cache can't be written.
    """
    target = cache_dir() / _plain(folder) / _plain(name)
    return _obtain(target, mirrors, limit=None, progress=progress)


def fetch_url(url: str, *, folder: str = "downloads", max_bytes: int = 2 * 1024**3, progress: bool = True) -> Path:
    """Give the local path of a file at an address of the user's own, downloading it at most once.

    Args:
        url: An http(s) address of a clip, song or photo; a Google Drive share link works too.
        folder: The folder inside the cache.
        max_bytes: The largest file accepted.
        progress: Whether to draw a progress bar on stderr.

    Raises:
        InputError: The address is not an http(s) address.
        DownloadError: The file could not be had, with the reason, or the cache can't be written.
    """
    url = urldefrag(url.strip()).url
    target = cache_dir() / _plain(folder) / _name_for(url)
    return _obtain(target, [Mirror(url)], limit=max_bytes, progress=progress)


def _plain(name: str) -> str:
    """Make a file name that stays inside its folder out of any text."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w.+-]+", "_", last).lstrip(".")[:80] or "file"


def _name_for(url: str) -> str:
    """Name the cached file of an address: readable, with the address's extension, and different for each address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"{url} can't be downloaded: only http:// and https:// addresses can. A file's path works too."
        )
    path = Path(unquote(parts.path))
    suffix = path.suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", path.suffix) else ""
    return f"{_plain(path.stem)[:40]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}{suffix}"


def _obtain(target: Path, mirrors: Sequence[Mirror], *, limit: int | None, progress: bool) -> Path:
    """Give `target`, trying the mirrors in order under a lock where it is not there yet."""
    import filelock

    tried: list[tuple[Mirror, str]] = []
    try:
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.with_name(f"{target.name}.lock")):
            for mirror in mirrors:
                if target.is_file():  # another process was quicker, or the mirror before was good
                    break
                part = _Part.of(mirror, target, limit=limit, progress=progress)
                try:
                    _receive_checked(part)
                except _MirrorError as error:
                    tried.append((mirror, str(error)))
                else:
                    part.path.replace(target)
                    _sweep(target)
    except OSError as error:
        raise DownloadError(_disk_message(target, error)) from error
    if not target.is_file():
        raise DownloadError(_failure_message(target, tried, own=limit is not None))
    return target


def _sweep(target: Path) -> None:
    """Remove what unfinished downloads of `target` left behind."""
    for leftover in target.parent.glob(f"{glob.escape(target.name)}.????????.part*"):
        leftover.unlink(missing_ok=True)


def _disk_message(target: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{target.name} does not fit: the disk of {target.parent} is full. "
            "Make room, or set MEMEGEN_CACHE to a folder on another disk; what came so far is kept."
        )
    return (
        f"{target.name} can't be kept in {target.parent} ({error.strerror or error}): "
        "set MEMEGEN_CACHE to a folder you can write to."
    )


def _failure_message(target: Path, tried: Sequence[tuple[Mirror, str]], *, own: bool) -> str:
    if own:
        [(mirror, reason)] = tried
        return (
            f"{mirror.url} could not be downloaded: {reason}. Save the file with a browser and give its path instead."
        )
    reasons = "".join(f"\n  - {mirror.url}: {reason}" for mirror, reason in tried)
    return (
        f"{target.name} could not be downloaded. What was tried:{reasons}\n"
        f"If you have the file, save it as {target}, or give its path instead of the name. "
        "The environment variable MEMEGEN_CACHE moves that folder."
    )


class _MirrorError(Exception):
    """Why one mirror gave nothing, in plain words."""


class _CutError(_MirrorError):
    """The connection ended before the file did."""


@dataclass(frozen=True)
class _Part:
    """The unfinished copy of one mirror's file; `mark` holds the server's own name for that version of it."""

    mirror: Mirror
    path: Path
    title: str
    limit: int | None
    progress: bool

    @classmethod
    def of(cls, mirror: Mirror, target: Path, *, limit: int | None, progress: bool) -> _Part:
        """Name the part after the mirror and its checksum, so that different bytes never meet in one file."""
        key = hashlib.sha256(f"{mirror.url} {mirror.sha256}".encode()).hexdigest()[:8]
        return cls(mirror, target.with_name(f"{target.name}.{key}.part"), target.name, limit, progress)

    @property
    def mark(self) -> Path:
        return self.path.with_name(f"{self.path.name}.mark")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def resumable(self) -> bool:
        """Whether a later end can be trusted to fit this beginning: by a checksum, or by the server's word."""
        return self.mirror.sha256 is not None or self.mark.is_file()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.mark.unlink(missing_ok=True)


def _receive_checked(part: _Part) -> None:
    """Complete the part and check it; a wrong file that began in an earlier run is given one fresh start."""
    wanted = part.mirror.sha256
    for earlier in (part.size > 0, False):
        _receive(part)
        _refuse_unusable(part)
        if wanted is None:
            return
        found = _sha256(part.path)
        if found.startswith(wanted):
            return
        part.discard()
        if not earlier:
            raise _MirrorError(
                f"the file there is not the expected one (checksum {found[:16]}, expected {wanted[:16]})"
            )


def _sha256(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


def _refuse_unusable(part: _Part) -> None:
    """Raise for a complete part that is empty, too large, or a web page."""
    with part.path.open("rb") as file:
        head = file.read(_CHUNK)
    reason = None
    if not head:
        reason = "the file there is empty"
    elif _is_page(head):
        reason = _page_reason(head)
    elif part.limit is not None and part.size > part.limit:
        reason = _too_large(part.limit)
    if reason:
        part.discard()
        raise _MirrorError(reason)


def _receive(part: _Part) -> None:
    """Complete the part from Google Drive or the web, going on at once after a cut that brought something."""
    drive_id = _drive_id(part.mirror.url)
    for attempt in range(1, ATTEMPTS + 1):
        before = part.size
        try:
            if drive_id:
                _from_drive(drive_id, part)
            else:
                _from_web(part)
            break
        except _CutError:
            if attempt == ATTEMPTS or not part.resumable or part.size <= before:
                raise


def _drive_id(url: str) -> str | None:
    if "://" not in url:
        return url
    found = _DRIVE_ADDRESS.match(url)
    return found[1] if found else None


def _from_drive(drive_id: str, part: _Part) -> None:
    """Download from Google Drive; gdown keeps its own unfinished file beside the part and goes on from it."""
    import inspect

    import gdown
    import requests

    options: dict[str, Any] = {"quiet": not part.progress, "resume": True, "use_cookies": False}
    if "timeout" in inspect.signature(gdown.download).parameters:  # gdown 6
        options["timeout"] = TIMEOUT
    try:
        got = gdown.download(id=drive_id, output=str(part.path), **options)
    except requests.RequestException as error:
        _close_files(error)
        raise _MirrorError(_network_reason(error)) from error
    except OSError:  # the disk's, as those of the network are above
        raise
    except Exception as error:  # gdown 5 lets the errors of its page parser through
        _close_files(error)
        raise _MirrorError(_drive_reason(str(error))) from error
    if got is None or not part.path.is_file():
        raise _MirrorError("Google Drive gave no file")


def _close_files(error: Exception) -> None:
    """Close the unfinished file that gdown 5 leaves open when a download breaks off, by letting go of its variables."""
    import traceback
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        traceback.clear_frames(error.__traceback__)


def _from_web(part: _Part) -> None:
    """Complete the part over http(s), from where it ends if the server can."""
    import requests

    offset = part.size if part.resumable else 0
    try:
        answer = requests.get(part.mirror.url, headers=_request_headers(part, offset), stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise _MirrorError(_network_reason(error)) from error
    with answer:
        if offset and answer.status_code in (206, 416):
            start, total = _content_range(answer.headers)
            if answer.status_code == 416 and total == offset:
                return  # an earlier run got it all and ended before it was checked
            if start != offset:
                part.discard()
                return _from_web(part)
        elif answer.status_code == 200:
            offset = 0
        else:
            raise _MirrorError(_status_reason(answer.status_code))
        _save(part, answer, offset=offset)


def _request_headers(part: _Part, offset: int) -> dict[str, str]:
    headers = {"User-Agent": "memegen", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if part.mark.is_file():
            headers["If-Range"] = part.mark.read_text(encoding="latin-1")
    return headers


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Read where an answer starts and how long the whole file is, each None if not told."""
    found = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", ""))
    if not found:
        return None, None
    start, total = found.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)


def _save(part: _Part, answer: requests.Response, *, offset: int) -> None:
    """Write an answer's body to the part, from byte `offset` on."""
    import requests

    plain = answer.headers.get("Content-Encoding", "identity") == "identity"
    length = answer.headers.get("Content-Length", "")
    total = offset + int(length) if plain and length.isdigit() else None
    if part.limit is not None and total is not None and total > part.limit:
        raise _MirrorError(_too_large(part.limit))
    chunks = answer.iter_content(_CHUNK)
    try:
        first = next(chunks, b"")
        if offset == 0 and (_is_page(first) or answer.headers.get("Content-Type", "").startswith("text/html")):
            raise _MirrorError(_page_reason(first))
        if offset == 0:
            _write_mark(part, answer.headers if plain else {})
        _write(part, itertools.chain([first], chunks), offset=offset, total=total)
    except requests.RequestException as error:
        raise _CutError(_cut_reason(part, total)) from error
    if total is not None and part.size < total:
        raise _CutError(_cut_reason(part, total))


def _write(part: _Part, chunks: Iterable[bytes], *, offset: int, total: int | None) -> None:
    """Append the chunks to the first `offset` bytes of the part, stopping once it is larger than allowed."""
    import tqdm

    bar = tqdm.tqdm(total=total, initial=offset, desc=part.title, unit="B", unit_scale=True, disable=not part.progress)
    with bar, part.path.open("ab" if offset else "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            bar.update(len(chunk))
            if part.limit is not None and file.tell() > part.limit:
                break


def _write_mark(part: _Part, headers: Mapping[str, str]) -> None:
    """Note the server's name for this version of the file, or that it has none to go by."""
    tag = headers.get("ETag", "")
    mark = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")
    part.discard()
    if mark:
        part.mark.write_text(mark, encoding="latin-1")


def _is_page(head: bytes) -> bool:
    return re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head)\b", head, re.IGNORECASE) is not None


def _page_reason(head: bytes) -> str:
    if _QUOTA.search(head.decode(errors="replace")):
        return _QUOTA_REASON
    return "a web page came instead of the file, so this is not the address of the file itself"


def _drive_reason(text: str) -> str:
    """Say in plain words what gdown's message means."""
    if _QUOTA.search(text):
        return _QUOTA_REASON
    if "Anyone with the link" in text:
        return "Google Drive gave a page instead of the file: it is not shared with everybody, or too many asked for it"
    if "incomplete" in text:
        return f"the connection was cut; {_KEPT}"
    return f"Google Drive did not hand the file over ({' '.join(text.split())[:160]})"


def _status_reason(status: int) -> str:
    known = "the server has a problem of its own, try again later" if status >= 500 else "the server refuses"
    return f"{_STATUS_REASONS.get(status, known)} (HTTP {status})"


def _network_reason(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _status_reason(error.response.status_code)
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection was cut; {_KEPT}"
    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection could be made"
    if isinstance(error, requests.ConnectionError):
        return "no connection to it: is this machine online?"
    if isinstance(error, requests.TooManyRedirects):
        return "its addresses lead round in a circle"
    return "it is not a usable address"


def _cut_reason(part: _Part, total: int | None) -> str:
    """Tell how far the download came."""
    of_total = f" of {total / 1e6:.1f}" if total is not None else ""
    kept = f"; {_KEPT}" if part.size and part.resumable else ""
    return f"the connection was cut after {part.size / 1e6:.1f}{of_total} MB{kept}"


def _too_large(limit: int) -> str:
    return f"the file is larger than the {limit / 1e6:.0f} MB accepted here"
