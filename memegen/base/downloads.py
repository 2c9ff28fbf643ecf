"""Files from the web, downloaded once, checked and kept in a cache folder; and the files bundled with memegen."""

from __future__ import annotations

import errno
import glob
import hashlib
import inspect
import itertools
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urlsplit

from memegen.base.errors import DownloadError, InputError, OutputError, UnavailableError
from memegen.base.files import expanded, is_page, plain_name
from memegen.base.progress import Progress, Stage

if TYPE_CHECKING:
    import requests

TIMEOUT = (10.0, 60.0)  # seconds to wait for a connection, and for the next bytes of a file
ATTEMPTS = 3  # how often a mirror is asked in one run when its connection is cut

_CHUNK = 64 * 1024
_DRIVE_ADDRESS = re.compile(r"https?://(?:drive|docs)(?:\.usercontent)?\.google\.com/(?:.*?[?&]id=|.*?/d/)([\w-]{10,})")
_HASH = re.compile(r"[0-9a-f]{16,64}")
_QUOTA = re.compile(r"too many users|quota|daily limit", re.IGNORECASE)
_QUOTA_REASON = "Google Drive's daily limit for this file was reached, try again tomorrow"
_CUT = "the connection was cut"
_NETWORK_REASONS = {  # by the names of what requests raises
    "ChunkedEncodingError": _CUT,
    "ConnectTimeout": "the server does not answer",
    "Timeout": "the server does not answer",
    "SSLError": "no secure connection could be made",
    "ConnectionError": "no connection to it: is this machine online?",
    "TooManyRedirects": "too many redirects",
}
_STATUS_REASONS = {
    401: "it asks for a password",
    403: "this file is not public",
    404: "the file is not there",
    410: "the file was removed",
    429: "too many requests at the moment, try again later",
}


@dataclass(frozen=True)
class Mirror:
    """One place to get a file from.

    Mirrors of one file may hold different bytes (another cut of a clip, a slimmer copy), each with its own checksum.

    Attributes:
        url: An http(s) address, a Google Drive address, or a bare Google Drive id.
        sha256: The checksum in lower-case hexadecimal, or its first 16 digits or more; None if it is unknown.
    """

    url: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not _HASH.fullmatch(self.sha256):
            raise ValueError(f"sha256 of {self.url} must be 16 to 64 lower-case hexadecimal digits: {self.sha256!r}")


def cache_dir() -> Path:
    """Return the folder that keeps downloads: MEMEGEN_CACHE, or the platform's own cache folder. It may not exist yet.

    Raises:
        OutputError: The user has no home folder.
    """
    chosen = os.environ.get("MEMEGEN_CACHE")
    if chosen:
        return expanded(chosen).absolute()
    import platformdirs

    with suppress(RuntimeError):  # there is no home, as in some containers; older versions then return a bare "~/..."
        folder = platformdirs.user_cache_path("memegen")
        if folder.is_absolute():
            return folder
    raise OutputError("There is no home folder for the cache: name a folder in MEMEGEN_CACHE.")


def cache_file(folder: str, name: str) -> Path:
    """Return the path of a file in a folder of the cache, whatever characters the names have. It may not exist yet."""
    return cache_dir() / plain_name(folder) / plain_name(name)


def asset(name: str) -> Path:
    """Return the path of a file that is bundled with memegen, such as `models/face_landmark.tflite`.

    Raises:
        UnavailableError: The installation lacks the file.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise UnavailableError(f"The bundled file {name} is missing from this installation: reinstall memegen.")


def fetch(
    target: Path, mirrors: Sequence[Mirror], *, limit: int | None = None, progress: Progress | None = None
) -> Path:
    """Download a file, unless it is there, from the first mirror that has all of it.

    The file appears only when it is complete and its checksum is right. One that is there already, even one put there
    by hand, is used without a connection. Processes that want the same file wait for each other. After a cut
    connection what came is kept for the next try if the checksum is known.

    Args:
        target: Where the file is to be; returned.
        mirrors: Where to get it, best first.
        limit: The most bytes to accept from a user's own address.
        progress: Told how many megabytes have come; what it raises ends the download.

    Raises:
        DownloadError: No mirror gave the file (the message has the reason for each), or it can't be written.
    """
    import filelock

    tried: list[tuple[str, str]] = []
    try:
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.with_name(f"{target.name}.lock")):
            if target.is_file():  # another process has just downloaded it
                return target
            for mirror in mirrors:
                try:
                    return _download(_Part(mirror, target, limit, progress))
                except _MirrorError as error:
                    tried.append((mirror.url, str(error)))
    except OSError as error:
        raise DownloadError(_disk_message(target, error)) from error
    except _CallbackError as wrapped:
        raise wrapped.error from wrapped.error.__cause__
    raise DownloadError(_failure_message(target, tried, own=limit is not None))


def fetch_url(
    url: str, *, folder: Path | None = None, limit: int = 2 * 1024**3, progress: Progress | None = None
) -> Path:
    """Download a file from an address of the user's own, unless it is there; return a path named after the address.

    Args:
        url: An http(s) address, written as in a browser; a Google Drive share link works too.
        folder: Where to keep the file; in the cache when None.
        limit: The most bytes to accept.
        progress: Told how many megabytes have come; what it raises ends the download.

    Raises:
        InputError: The address is not an http(s) address.
        DownloadError: The file can't be downloaded or written; the message has the reason.
    """
    url = urldefrag(url.strip()).url
    name = _name_for(url)
    return fetch((folder or cache_dir() / "downloads") / name, [Mirror(url)], limit=limit, progress=progress)


def _name_for(url: str) -> str:
    """Return a file name for an address: readable, with the address's extension, and different for each address."""
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
    return f"{plain_name(path.stem)[:40]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}{suffix}"


def _is_cached(target: Path) -> bool:
    with suppress(OutputError):  # without a home there is no cache
        return target.is_relative_to(cache_dir())
    return False


def _disk_message(target: Path, error: OSError) -> str:
    advice = "set MEMEGEN_CACHE to another folder" if _is_cached(target) else "check that folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kept = "; what came so far is kept" if _pieces(target) else ""
        return f"{target.name} does not fit: the disk of {target.parent} is full. Make room, or {advice}{kept}."
    return f"{target.name} can't be kept in {target.parent} ({error.strerror or error}): {advice}."


def _failure_message(target: Path, tried: Sequence[tuple[str, str]], *, own: bool) -> str:
    if own:
        [(url, reason)] = tried
        return f"{url} could not be downloaded: {reason}. Save the file with a browser and use that file."
    reasons = "".join(f"\n  - {url}: {reason}" for url, reason in tried)
    more = ", or give its path instead of the name. The environment variable MEMEGEN_CACHE moves that folder"
    return (
        f"{target.name} could not be downloaded: check the connection and try again, or use something else.\n"
        f"What was tried:{reasons}\n"
        f"If you have the file, save it as {target}{more if _is_cached(target) else ''}."
    )


class _MirrorError(Exception):
    """Why one mirror gave nothing, in plain words."""


class _CallbackError(BaseException):
    """Carries what the progress callback raised past all handlers of network and disk errors."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Part:
    """The unfinished copy of one mirror's file, named after mirror and checksum, so that different bytes never mix."""

    def __init__(self, mirror: Mirror, target: Path, limit: int | None, progress: Progress | None) -> None:
        self.mirror, self.target, self.limit, self.progress = mirror, target, limit, progress
        self.key = hashlib.sha256(f"{mirror.url} {mirror.sha256}".encode()).hexdigest()[:8]
        self.path = target.with_name(f"{target.name}.{self.key}.part")
        self.resumable = mirror.sha256 is not None  # only a checksum tells whether a later end fits this beginning

    @property
    def size(self) -> int:
        return sum(piece.stat().st_size for piece in _pieces(self.target, self.key))

    def arrived(self, done: int, total: int | None) -> None:
        """Report how many bytes are here, and refuse a file that is larger than the limit."""
        if self.limit is not None and max(done, total or 0) > self.limit:
            reason = f"the file is larger than the {self.limit / 1e6:.0f} MB accepted here"
            raise DownloadError(_failure_message(self.target, [(self.mirror.url, reason)], own=True))
        megabytes = done // 10**6
        whole = megabytes + 1 if total is None else -(-total // 10**6)  # rounded up: only the end reaches it
        try:
            if self.progress is not None:
                stage = Stage(f"Downloading {self.target.name}", "MB")
                self.progress(stage, whole if done == total else megabytes, whole)
        except Exception as error:
            raise _CallbackError(error) from error

    def cut(self, total: int | None = None) -> _MirrorError:
        """Return an error that says how much of the file came."""
        of_total = f" of {total / 1e6:.1f}" if total is not None else ""
        kept = "; what came is kept and the next try continues from there" if self.resumable and self.size else ""
        return _MirrorError(f"{_CUT} after {self.size / 1e6:.1f}{of_total} MB{kept}")


def _pieces(target: Path, key: str = "????????") -> list[Path]:
    """List what unfinished downloads left beside a file; gdown has pieces of its own, named after the part."""
    return list(target.parent.glob(f"{glob.escape(target.name)}.{key}.part*"))


def _discard(target: Path, key: str = "????????") -> None:
    for piece in _pieces(target, key):
        piece.unlink(missing_ok=True)


def _download(part: _Part) -> Path:
    """Complete a part, check it and give it its final name; a part that can't be continued later is removed."""
    try:
        _receive(part)
        part.path.replace(part.target)
    finally:
        if not part.resumable:
            _discard(part.target, part.key)
    _discard(part.target)  # what other mirrors left
    return part.target


def _receive(part: _Part) -> None:
    """Complete and check a part; try again after a cut that brought something, or if its pieces don't fit together."""
    drive_id = _drive_id(part.mirror.url)
    for last in (*[False] * (ATTEMPTS - 1), True):
        if not part.resumable:
            _discard(part.target, part.key)
        before = part.size
        try:
            _from_drive(drive_id, part) if drive_id else _from_web(part)
            return _check(part)
        except _MirrorError:
            if last or part.size == before:
                raise


def _check(part: _Part) -> None:
    """Discard a complete part that is not the file it should be, and say why."""
    with part.path.open("rb") as file:
        head = file.read(_CHUNK)
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = part.mirror.sha256 or ""
    if not head:
        reason = "the file there is empty"
    elif is_page(head):
        reason = _page_reason(head)
    elif not found.startswith(wanted):
        reason = f"the file there is not the expected one (checksum {found[:16]}, expected {wanted[:16]})"
    else:
        return
    _discard(part.target, part.key)
    raise _MirrorError(reason)


def _drive_id(url: str) -> str | None:
    if "://" not in url:
        return url
    found = _DRIVE_ADDRESS.match(url)
    return found[1] if found else None


def _from_drive(drive_id: str, part: _Part) -> None:
    """Complete a part with gdown, which continues an unfinished file of its own."""
    import gdown
    import requests

    options: dict[str, Any] = {"quiet": True, "resume": part.resumable, "use_cookies": False}
    known = inspect.signature(gdown.download).parameters  # gdown 5 has neither of these two
    options |= {name: value for name, value in (("timeout", TIMEOUT), ("progress", part.arrived)) if name in known}
    part.arrived(part.size, None)
    try:
        reason = "" if gdown.download(id=drive_id, output=str(part.path), **options) else "Google Drive gave no file"
    except requests.RequestException as error:
        reason = _network_reason(error)
    except (DownloadError, OSError):  # what `arrived` raises, and the disk
        raise
    except Exception as error:  # gdown 5 lets the errors of its page parser through
        reason = _drive_reason(str(error))
    # Not raised inside `except`, where the error would hold on to the file that gdown 5 leaves open.
    if reason:
        raise part.cut() if reason == _CUT else _MirrorError(reason)
    part.arrived(part.size, part.size)


def _from_web(part: _Part) -> None:
    """Complete a part over http(s), from where it ends if the server can."""
    import requests

    offset = part.size
    headers = {"User-Agent": "memegen", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        answer = requests.get(part.mirror.url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise _MirrorError(_network_reason(error)) from error
    with answer:
        status, span = answer.status_code, answer.headers.get("Content-Range", "")
        if status == 200:
            _save(part, answer, offset=0)
        elif offset and status == 206 and span.startswith(f"bytes {offset}-"):
            _save(part, answer, offset=offset)
        elif not offset or status not in (206, 416):
            raise _MirrorError(_status_reason(status))
        # Otherwise nothing follows this part: the checksum tells whether it is complete or belongs to another file.


def _save(part: _Part, answer: requests.Response, *, offset: int) -> None:
    """Write an answer's body to a part, from byte `offset` on."""
    import requests

    length = answer.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() and "Content-Encoding" not in answer.headers else None
    part.arrived(offset, total)
    chunks = answer.iter_content(_CHUNK)
    try:
        first = next(chunks, b"")
        # Some servers call pictures and clips text, too, but text has no zeros.
        called_page = answer.headers.get("Content-Type", "").startswith("text/html") and b"\0" not in first
        if offset == 0 and (called_page or is_page(first)):  # before anything that is kept is written over
            raise _MirrorError(_page_reason(first))
        with part.path.open("ab" if offset else "wb") as file:
            for chunk in itertools.chain([first], chunks):
                file.write(chunk)
                part.arrived(file.tell(), total)
    except requests.RequestException as error:
        raise part.cut(total) from error
    if total is None:
        part.arrived(part.size, part.size)
    elif part.size < total:
        raise part.cut(total)


def _page_reason(head: bytes) -> str:
    if _QUOTA.search(head.decode(errors="replace")):
        return _QUOTA_REASON
    return "a web page came instead of the file, so this is not the address of the file itself"


def _drive_reason(text: str) -> str:
    """Return what gdown's message means, in plain words."""
    if _QUOTA.search(text):
        return _QUOTA_REASON
    if "Anyone with the link" in text:
        return "Google Drive gave a page instead of the file: it is not shared publicly, or too many asked for it"
    return _CUT if "incomplete" in text else f"Google Drive did not give the file ({' '.join(text.split())[:160]})"


def _network_reason(error: requests.RequestException) -> str:
    if error.response is not None and error.response.status_code >= 400:
        return _status_reason(error.response.status_code)
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((_NETWORK_REASONS[name] for name in names if name in _NETWORK_REASONS), "it is not a usable address")


def _status_reason(status: int) -> str:
    other = "the server has a problem, try again later" if status >= 500 else "the server refused"
    return f"{_STATUS_REASONS.get(status, other)} (HTTP {status})"
