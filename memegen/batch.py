"""Many photos, one song: everything is loaded and analysed once, and a photo that fails does not stop the rest.

With an executor, photos go to its workers as bytes and clips come back as bytes. What they have in common, a `Plan`, is
small, and so is sent with each. Its files, such as a clip of one's own, are sent to a worker that says it lacks them.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from memegen.animator import Animator, engine_options, load_animator
from memegen.base.downloads import cache_file
from memegen.base.errors import InputError, MemegenError, OutputError, UnavailableError
from memegen.base.files import check_file, expanded, is_address, plain_name, plain_stem, reason_of, whole_file
from memegen.base.options import takes_options
from memegen.base.progress import Progress, Stage
from memegen.base.version import __version__
from memegen.media.destinations import destination_of, fill_in
from memegen.media.encoders import SUFFIXES, writing
from memegen.media.images import is_movie, photos_in
from memegen.media.options import BOTH, TARGET
from memegen.media.video import check_output
from memegen.meme import OPTIONS, Songs, follow_singers, make_meme, resolve_songs
from memegen.singer.options import wished
from memegen.templates import Template

AHEAD, FIRST = 64, 4  # photos on their way to an executor: at most, and at the beginning
PATIENCE = "10s"  # how long a scheduler may take to answer
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        photo: The photo's file or web address.
        clip: The clip's file; there is one unless the photo failed.
        status: "made", "kept" (it was there already) or "failed".
        seconds: How long it took.
        error: Why it failed; else None.
    """

    photo: Path | str
    clip: Path
    status: Literal["made", "kept", "failed"]
    seconds: float
    error: MemegenError | None = None

    @property
    def message(self) -> str:
        """Why it failed, in one sentence; else empty."""
        return str(self.error or "")


def find_photos(sources: Sequence[str | Path]) -> list[Path | str]:
    """List the photos that files, folders and web addresses stand for.

    Those of a folder come by name, without subfolders and hidden files. One without an ending, or with an unknown one,
    counts if it begins like a picture; what is left out is said.

    Raises:
        InputError: A folder has no photos, or there are none at all.
    """
    photos: list[Path | str] = []
    for source in sources:
        if is_address(source):
            photos.append(source.strip())
        elif (path := expanded(source)).is_dir():
            photos += photos_in(path)
        else:
            photos.append(path)
    if not photos:
        raise InputError("There are no photos: give some files, or a folder of them.")
    return photos


def check_suffix(suffix: str) -> None:
    """Check that there are clips with an ending.

    Raises:
        OutputError: There are none; the message lists the endings.
    """
    if suffix.lower() not in SUFFIXES:
        raise OutputError(f"There is no kind of clip {suffix!r}: use one of {', '.join(SUFFIXES)}.")


@takes_options(*OPTIONS)
def make_batch(
    photos: Sequence[str | Path],
    template: Songs,
    folder: str | Path,
    *,
    suffix: str | None = None,
    resume: bool = False,
    engine: str | Path | Animator = "mesh",
    executor: Executor | None = None,
    ahead: int = AHEAD,
    progress: Progress | None = None,
    **options: Any,
) -> Generator[Outcome, None, None]:
    """Make every photo sing, one after another, or several at a time.

    Args:
        photos: Files, folders of them, and web addresses.
        template: As in `make_meme`; it is downloaded, and the engine loaded, once, before the first photo.
        folder: Where the clips go, each under its photo's name; made if it is missing.
        suffix: The kind of file; see `write_video`. None: what the destination takes, else .mp4.
        resume: Keep clips that are there already. A clip appears only when it is whole, so none is half made.
        engine: As in `make_meme`; with an executor a name or a path, which is loaded once by each worker.
        executor: Where to make the clips: `Processes(4)` for this machine, `cluster("tcp://scheduler:8786")` for Dask,
            or any other of `concurrent.futures`. Its workers need memegen. None: here, one by one.
        ahead: How many photos are on their way to an executor at most; give about three for each worker.
        progress: As in `make_meme`; with an executor told how many photos are finished.
        **options: As in `make_meme`.

    Yields:
        One outcome for each photo, in their order.

    Raises:
        MemegenError: There are no photos, the template or the engine can't be had or used, the folder can't be made, or
            there is no such kind of file.
    """
    words = fill_in(options, suffix or "")
    suffix = suffix or destination_of(words).suffix
    check_suffix(suffix)
    files = find_photos(photos)
    songs = resolve_songs(template, progress, singing=wished(options))
    target = expanded(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} can't be made ({reason_of(error)}): choose another.") from error
    clip = songs if isinstance(template, Mapping) else songs[0]
    orders = list(zip(files, clip_names(files, target, suffix), strict=True))
    waiting = [(photo, out) for photo, out in orders if not (resume and out.is_file())]
    if executor is None:
        made = _made_here(waiting, clip, engine, progress, options)
    else:
        plan = make_plan(clip, suffix, engine, options, progress)
        made = _made_elsewhere(waiting, plan, executor, ahead, progress)
    with closing(made):
        todo = set(waiting)
        for photo, out in orders:
            yield next(made) if (photo, out) in todo else Outcome(photo, out, "kept", 0.0)


Order = tuple[Path | str, Path]
"""A photo, and the clip to make of it."""


def _made_here(
    orders: Sequence[Order], songs: Songs, engine: str | Path | Animator, progress: Progress | None, options: Any
) -> Generator[Outcome, None, None]:
    """Make clips one after another in this process."""
    if isinstance(engine, str | Path):
        chosen = engine_options(fill_in(options, duet=isinstance(songs, Mapping)))
        engine = load_animator(engine, progress=progress, **chosen)
        options = {word: value for word, value in options.items() if word not in chosen}
    for photo, out in orders:
        begun = time.monotonic()
        try:
            make_meme(photo, songs, out=out, engine=engine, progress=progress, **options)
        except MemegenError as error:
            yield Outcome(photo, out, "failed", time.monotonic() - begun, error)
        else:
            yield Outcome(photo, out, "made", time.monotonic() - begun)


# On other processes and machines


@dataclass(frozen=True)
class Plan:
    """What the clips of a batch have in common, without files.

    Attributes:
        key: Stands for all of it, files included.
        version: The version of memegen that made it.
        songs: Each face's song, by the face's number; of a single song under 0. Own clips are named by their file.
        duet: Whether each face has its own.
        suffix: The kind of file.
        engine: The engine's name.
        options: The options of `make_meme`; files among them by their name.
        files: The names of the files.
    """

    key: str
    version: str
    songs: dict[int, Template]
    duet: bool
    suffix: str
    engine: str
    options: dict[str, Any]
    files: tuple[str, ...] = ()


class Sung(NamedTuple):
    """A clip from a worker: the file's content, and how many seconds it took."""

    clip: bytes
    seconds: float


class _Workshop(NamedTuple):
    """What a worker keeps of a plan: the songs with their files, the options, and the loaded engine."""

    songs: Songs
    options: dict[str, Any]
    engine: Animator


_open: dict[str, _Workshop] = {}  # of the last plan, in a worker
_opening = threading.Lock()


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Connect to a Dask cluster, and give an executor that runs on it; use it in a `with` statement.

    Args:
        address: The scheduler's, such as "tcp://scheduler:8786". Everybody who reaches it can run code on its workers,
            and it on this machine: use one that only you can reach.

    Raises:
        UnavailableError: Dask is not installed.
        InputError: There is no scheduler.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UnavailableError('A cluster needs Dask: run pip install "memegen-sings[cluster]".') from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"No Dask scheduler answers at {address}: start one, or check the address.") from error
    with client:
        yield client.get_executor()


def make_plan(
    songs: Songs, suffix: str, engine: str | Path | Animator, options: Mapping[str, Any], progress: Progress | None
) -> tuple[Plan, dict[str, Path]]:
    """Return what workers need, and the files that belong to it by their names; the singers are followed here.

    Raises:
        MemegenError: A song, the engine or an option can't be used.
    """
    if not isinstance(engine, str | Path):
        raise InputError(f"An engine that is loaded can't be sent to workers: give its name, {engine.name!r}.")
    duet = isinstance(songs, Mapping)
    found = resolve_songs(songs, singing=wished(options))
    files = {f"track-{file.name}": file for file in follow_singers(songs, options, progress)}
    for number, song in found.items():
        if song.bundled is None:
            files |= {f"song-{number}{one.suffix}": one for one in (song.local_path, song.lyrics) if one}
            song = dataclasses.replace(song, path=Path(f"song-{number}{song.local_path.suffix}"))
        found[number] = dataclasses.replace(song, path=None) if song.bundled else song
    words = dict(options)
    for name in ("audio", "subtitles", "words"):
        if _is_file(name, words.get(name)):
            file = check_file(words[name], kind=name)
            words[name] = Path(f"{name}{file.suffix}")
            files[str(words[name])] = file
    plan = Plan("", __version__, found, duet, suffix, str(engine), words, tuple(sorted(files)))
    digest = hashlib.sha256(repr(plan).encode())
    for name in plan.files:
        digest.update(hashlib.sha256(files[name].read_bytes()).digest())
    return dataclasses.replace(plan, key=digest.hexdigest()[:24]), files


def _is_file(name: str, value: object) -> bool:
    """Return whether the value of an option names a file; words to sing and a target's own sound may be none."""
    if name == "audio" and value in (TARGET, BOTH):
        return False
    return isinstance(value, Path) or (isinstance(value, str) and (name != "words" or value.endswith(".txt")))


def sing_plan(plan: Plan, files: Mapping[str, bytes] | None, photo: bytes | str) -> Sung | None:
    """Make a clip, in a worker.

    Args:
        plan: What to make.
        files: The plan's files; None to use those that are here.
        photo: The content of a file, or an address.

    Returns:
        The clip; None if the plan's files are not here.

    Raises:
        MemegenError: It can't be made.
    """
    begun = time.monotonic()
    with _opening:
        if plan.key not in _open:
            folder = _unpacked(plan, files)
            if folder is None:
                return None
            _open.clear()
            _open[plan.key] = _opened(plan, folder)
        songs, options, engine = _open[plan.key]
    with tempfile.TemporaryDirectory(prefix="memegen-", ignore_cleanup_errors=True) as name:
        out = Path(name, f"clip{plan.suffix}")
        subject: bytes | str | Path = photo
        if isinstance(photo, bytes) and is_movie(photo):  # a video can be read from a file only
            subject = Path(name, "target")
            subject.write_bytes(photo)
        make_meme(subject, songs, out=out, engine=engine, **options)
        return Sung(out.read_bytes(), time.monotonic() - begun)


def _unpacked(plan: Plan, files: Mapping[str, bytes] | None) -> Path | None:
    """Return the folder of a plan's files, after writing those that are given; None if they are not all here."""
    if plan.version != __version__:
        raise UnavailableError(
            f"The worker has memegen {__version__}, this machine {plan.version}: install the same version on both."
        )
    folder = cache_file("plans", plan.key)
    if files is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            track = name.removeprefix("track-")  # kept where tracks are looked for
            place = folder / plain_name(name) if track == name else cache_file("analyses", track)
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(place) as part:
                part.write_bytes(content)
        (folder / "whole").touch()
    return folder if not plan.files or (folder / "whole").is_file() else None


def _opened(plan: Plan, folder: Path) -> _Workshop:
    """Load a plan's songs and engine."""
    songs = {
        number: dataclasses.replace(song, path=folder / song.path) if song.path else resolve_songs(song)[0]
        for number, song in plan.songs.items()
    }
    words = {word: folder / value if isinstance(value, Path) else value for word, value in plan.options.items()}
    chosen = engine_options(fill_in(words, duet=plan.duet))
    engine = load_animator(plan.engine, **chosen)
    rest = {word: value for word, value in words.items() if word not in chosen}
    return _Workshop(songs if plan.duet else songs[0], rest, engine)


class _Errands:
    """Sends photos to an executor, and the plan's files to workers that lack them."""

    def __init__(self, planned: tuple[Plan, dict[str, Path]], executor: Executor) -> None:
        self._plan, self._paths = planned
        self._executor = executor
        self._parts: set[Future[Sung | None]] = set()
        self._ended = False

    def send(self, photo: bytes | str) -> Future[Sung]:
        """Have a clip made."""
        whole: Future[Sung] = Future()
        self._submit(whole, photo, None)
        return whole

    def end(self) -> None:
        """Call back what has not begun."""
        self._ended = True
        for part in list(self._parts):
            part.cancel()

    def _submit(self, whole: Future[Sung], photo: bytes | str, files: dict[str, bytes] | None) -> None:
        part = self._executor.submit(sing_plan, self._plan, files, photo)
        self._parts.add(part)
        part.add_done_callback(lambda part: self._receive(whole, photo, part))

    def _receive(self, whole: Future[Sung], photo: bytes | str, part: Future[Sung | None]) -> None:
        self._parts.discard(part)
        try:
            sung = part.result()
            if sung is not None:
                whole.set_result(sung)
            elif not self._ended:
                self._submit(whole, photo, {name: path.read_bytes() for name, path in self._paths.items()})
        except Exception as error:
            whole.set_exception(error)


def _made_elsewhere(
    orders: Sequence[Order],
    planned: tuple[Plan, dict[str, Path]],
    executor: Executor,
    ahead: int,
    progress: Progress | None,
) -> Generator[Outcome, None, None]:
    """Make clips with an executor; only some photos and clips are in memory at a time."""
    errands, sent, finished = _Errands(planned, executor), deque[tuple[Order, Future[Sung]]](), 0
    rest = iter(orders)
    try:
        while True:
            # Few at first: a worker without the plan's files asks for them, and with every photo until they come.
            for photo, out in itertools.islice(rest, max(min(ahead, FIRST + finished) - len(sent), 0)):
                sent.append(((photo, out), _sent(errands, photo)))
            if not sent:
                return
            (photo, out), clip = sent.popleft()
            outcome, finished = _received(photo, out, clip), finished + 1
            if progress:
                progress(Stage("Photos", "photos"), finished, len(orders))
            yield outcome
    finally:
        errands.end()


def _sent(errands: _Errands, photo: Path | str) -> Future[Sung]:
    """Send a photo to a worker; one that can't be read fails here."""
    try:
        return errands.send(check_file(photo, kind="photo").read_bytes() if isinstance(photo, Path) else photo)
    except (MemegenError, OSError) as error:
        failed: Future[Sung] = Future()
        failed.set_exception(error)
        return failed


def _received(photo: Path | str, out: Path, clip: Future[Sung]) -> Outcome:
    """Wait for a clip and write it, whole or not at all."""
    try:
        sung = clip.result()
        with writing(out), whole_file(check_output(out, inputs=[photo])) as part:
            part.write_bytes(sung.clip)
    except MemegenError as error:
        return Outcome(photo, out, "failed", 0.0, error)
    except Exception as error:
        _log.debug("The worker failed.", exc_info=error)
        reason = f"The worker that made it failed ({type(error).__name__}): try this photo again with --resume."
        return Outcome(photo, out, "failed", 0.0, UnavailableError(reason))
    return Outcome(photo, out, "made", sung.seconds)


def clip_names(photos: Sequence[Path | str], folder: Path, suffix: str) -> list[Path]:
    """Name each photo's clip after it; the second `me` in a list becomes `me-2`, whatever its folder or ending.

    No clip gets the name of a photo in the same folder.
    """
    files = [photo for photo in photos if isinstance(photo, Path)]
    beside = (photo for photo in files if photo.absolute().parent.resolve() == folder.resolve())
    taken = {photo.stem.casefold() for photo in beside if photo.suffix.casefold() == suffix.casefold()}
    names = []
    for photo in photos:
        stem = photo.stem if isinstance(photo, Path) else plain_stem(photo)
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(folder / f"{name}{suffix}")
    return names


def write_report(path: str | Path, outcomes: Sequence[Outcome]) -> Path:
    """Write a CSV table with a line for each photo.

    Raises:
        OutputError: The file can't be written.
    """
    file = expanded(path)
    try:
        with (
            whole_file(file) as part,
            part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream,
        ):
            table = csv.writer(stream)
            table.writerow(["photo", "clip", "status", "seconds", "message"])
            table.writerows([o.photo, o.clip, o.status, f"{o.seconds:.1f}", o.message] for o in outcomes)
    except OSError as error:
        raise OutputError(f"The report {path} can't be written ({reason_of(error)}): choose another place.") from error
    return file
