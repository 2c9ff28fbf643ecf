"""Kill memegen at random moments, and check that what it leaves is whole and that the next run is as good as any.

    python tests/kill_memegen.py --times 50 --seed 1

Each time `memegen make` or `memegen batch` is killed, in turn, with folders for the home and the cache of its own. Then
no clip, table or cached file may be half written, no process of it may run a second later, and the next run must make
the same clips as one that was never killed, without a word of complaint.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_media import end_strays, strays
from media import samples_of

from memegen import MemegenError, open_video

ROOT = Path(__file__).parents[1]
HIDDEN = ".memegen-*"  # folders of unfinished files
PHOTOS = ("ann", "bob", "cat")


class Command(NamedTuple):
    """A command of memegen: its words, and the files that it makes."""

    words: tuple[str, ...]
    makes: tuple[str, ...]


COMMON = ("daisy-bell", "--duration", "1", "--i-have-permission", "-o")
COMMANDS = {
    "make": Command(("make", "ann.jpg", *COMMON, "out/out.mp4"), ("out.mp4",)),
    "batch": Command(
        ("batch", *(f"{name}.jpg" for name in PHOTOS), *COMMON, "out", "--resume"),
        (*(f"{name}.mp4" for name in PHOTOS), "report.csv"),
    ),
}


class Place:
    """A folder in which memegen runs: photos, and folders for its home, its cache and what it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.state = [folder / name for name in ("home", "cache", "temporary")]
        for name in PHOTOS:
            shutil.copy(ROOT / "assets/portrait.jpg", folder / f"{name}.jpg")
        self.clear(state=True)

    @cached_property
    def variables(self) -> dict[str, str]:
        """The variables of the process: its own folders, and no settings from outside."""
        home, cache, temporary = map(str, self.state)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMEGEN_", "XDG_"))}
        return {**kept, "HOME": home, "MEMEGEN_CACHE": cache, "TMPDIR": temporary}

    def clear(self, *, state: bool) -> None:
        """Empty the folder for clips; with state, also those of the home and the cache."""
        for folder in (self.out, *(self.state if state else ())):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def start(self, command: Command) -> subprocess.Popen[bytes]:
        """Start memegen in a process group of its own."""
        words = [sys.executable, "-m", "memegen", *command.words]
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.variables,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, command: Command) -> Iterator[str]:
        """Run memegen to its end, and yield what is wrong."""
        process = self.start(command)
        complaint = process.communicate()[1].decode(errors="replace")
        if process.returncode or complaint:
            yield f"the next run ended with {process.returncode} and said {complaint[-1500:]!r}"

    def hidden(self) -> list[Path]:
        """Return the folders of unfinished files that are left."""
        return [path for folder in (self.out, *self.state) for path in folder.rglob(HIDDEN)]


def digest(clip: Path) -> str:
    """Name the frames and the sound of a clip."""
    content = hashlib.sha256()
    for frame in open_video(clip).frames():
        content.update(frame.tobytes())
    content.update(samples_of(clip).tobytes())
    return content.hexdigest()


def unwhole(place: Place, command: Command, clean: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with the files that are there."""
    for path in sorted(place.out.glob("[!.]*")):
        if path.name not in command.makes:
            yield f"there is {path.name}"
        elif path.suffix == ".csv":
            with path.open(newline="") as stream:
                if len(rows := list(csv.reader(stream))) != 1 + len(PHOTOS):
                    yield f"{path.name} has {len(rows)} rows"
        else:
            try:
                if digest(path) != clean[path.name]:
                    yield f"{path.name} has other frames or sound"
            except (MemegenError, subprocess.CalledProcessError) as error:
                yield f"{path.name} can't be played: {error}"
    yield from _unwhole_state(place)


def _unwhole_state(place: Place) -> Iterator[str]:
    """Yield what is wrong with the files in the cache and the home."""
    for path in place.state[1].rglob("[!.]*.npz"):
        if not any(part.startswith(".memegen-") for part in path.parts):
            try:
                with np.load(path) as arrays:
                    _ = [arrays[name] for name in arrays.files]
            except (OSError, ValueError, EOFError) as error:
                yield f"{path.name} in the cache can't be loaded: {error!r}"
    for folder in place.state[0].rglob("credentials"):
        if len(list(folder.iterdir())) != 2:
            yield "the credentials are incomplete"


def kill(place: Place, command: Command, moment: float) -> Iterator[str]:
    """Start memegen and kill it after some seconds; yield what is wrong, and "ended" if it had ended before."""
    process = place.start(command)
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        yield "ended"
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1)
    if left := strays(place.folder):
        names = [Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:300] for number in left]
        yield f"still running a second later: {names}"
        end_strays(place.folder)


class Tally:
    """What was found in all rounds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.findings: list[str] = []

    def add(self, about: str, found: Iterator[str]) -> None:
        """Keep and print findings."""
        for finding in found:
            if finding == "ended":
                self.counts["had ended before"] += 1
            else:
                self.findings.append(f"{about}: {finding}")
                sys.stdout.write(f"{about}: {finding}\n")
                sys.stdout.flush()


def clean_runs(place: Place, tally: Tally) -> tuple[dict[str, str], dict[str, float]]:
    """Run each command undisturbed; return what names each clip, and how long each command takes."""
    clean: dict[str, str] = {}
    seconds = {}
    for name, command in COMMANDS.items():
        place.clear(state=True)
        begun = time.monotonic()
        tally.add(f"{name}, not killed", place.run(command))
        seconds[name] = time.monotonic() - begun
        clean |= {path.name: digest(path) for path in place.out.glob("*.mp4")}
    return clean, seconds


def main() -> int:
    """Kill memegen many times, and return whether there are findings."""
    parser = argparse.ArgumentParser(description="Kill memegen at random moments.")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, tally, begun = random.Random(options.seed), Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-", ignore_cleanup_errors=True) as folder:
        place = Place(Path(folder))
        clean, seconds = clean_runs(place, tally)
        for number in range(options.times):
            name = list(COMMANDS)[number % len(COMMANDS)]
            moment, fresh, earlier = chance.uniform(0, seconds[name]), chance.random() < 0.5, chance.random() < 0.3
            one_round(place, name, moment, clean, tally, fresh=fresh, earlier=earlier, about=f"{number} {name}")
    took = {name: f"{time:.1f} s" for name, time in seconds.items()}
    counts = ", ".join(f"{count} {what}" for what, count in tally.counts.items())
    sys.stdout.write(f"Seed {options.seed}: killed {options.times} times (whole runs take {took}): {counts}; ")
    sys.stdout.write(f"{len(tally.findings)} findings; {time.monotonic() - begun:.0f} s.\n")
    return int(bool(tally.findings))


def one_round(
    place: Place,
    name: str,
    moment: float,
    clean: dict[str, str],
    tally: Tally,
    *,
    fresh: bool,
    earlier: bool,
    about: str,
) -> None:
    """Kill memegen once, with an empty cache if fresh and with an earlier clip, and check what is left."""
    command = COMMANDS[name]
    if not earlier or command.makes[0] not in {path.name for path in place.out.iterdir()}:
        place.clear(state=fresh)
    there = set(place.out.glob("[!.]*"))
    about = f"{about} after {moment:.2f} s"
    tally.add(about, kill(place, command, moment))
    tally.counts["clips there"] += len(list(place.out.glob("[!.]*.mp4")))
    tally.counts["with hidden folders left"] += bool(place.hidden())
    tally.add(about, (f"{path.name} is gone" for path in there if not path.exists()))
    tally.add(about, unwhole(place, command, clean))
    tally.add(about, place.run(command))
    tally.add(about, (f"{path.name} is still there after another run" for path in place.hidden()))
    missing = (f"{name} is missing after the next run" for name in command.makes if not (place.out / name).is_file())
    tally.add(about, missing)
    tally.add(about, unwhole(place, command, clean))


if __name__ == "__main__":
    sys.exit(main())
