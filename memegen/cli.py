"""The command line: memegen make, batch, demo, inspect, templates and checkpoints."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from memegen.base.errors import InputError, MemegenError, OutputError
from memegen.base.version import __version__

if TYPE_CHECKING:
    from memegen.animator import Animator
    from memegen.base.progress import Progress
    from memegen.face.cropping import FaceBox

DEFAULT = "daisy-bell"
SINGS = "a name from `memegen templates`, or any video file or address"
KINDS = ".mp4, .mov, .gif, .webp, or .png for a still"
INTERRUPTED = 130  # what shells say after Ctrl-C


class _Parser(argparse.ArgumentParser):
    """Answers a wrong command with one line, as every other mistake."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"memegen: {message}. See {self.prog} --help.\n")
        sys.exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 after one plain line on stderr, 130 after Ctrl-C.

    A batch in which a photo failed has the code 1 too; the lines are on stdout.

    Args:
        argv: The words after `memegen`; those of the process when None.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(format="memegen: %(message)s", level=logging.WARNING)
    with suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: tidily
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal can't show is no failure
    try:
        failed = bool(options.run(options))
        sys.stdout.flush()
    except MemegenError as error:
        sys.stderr.write(f"memegen: {' '.join(line.strip() for line in str(error).splitlines())}\n")
        return 1
    except KeyboardInterrupt:
        done = "what was finished is kept" if options.run is _batch else "nothing was written"
        sys.stderr.write(f"\nmemegen: Stopped; {done}.\n")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our words has heard enough, as in `memegen templates | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="memegen", description="One photo in, a singing meme out.")
    parser.add_argument("--version", action="version", version=f"memegen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_make(commands)
    _add_batch(commands)
    _add_rest(commands)
    return parser


def _add_make(commands: Any) -> None:
    make = commands.add_parser("make", help="make a photo sing", description="Make a photo sing.")
    make.add_argument("photo", metavar="PHOTO", help="a picture with a face: a file or a web address")
    make.add_argument("template", metavar="TEMPLATE", nargs="?", default=DEFAULT, help=f"{SINGS}; default: %(default)s")
    make.add_argument(
        "-o", "--out", metavar="OUT", type=Path, help=f"what to write, {KINDS}; PHOTO-TEMPLATE.mp4 if left out"
    )
    _add_options(make)
    make.set_defaults(run=_make)


def _add_batch(commands: Any) -> None:
    about = "Make many photos sing, in one go; one that fails is told at the end and holds nobody up."
    batch = commands.add_parser("batch", help="make many photos sing", description=about)
    batch.add_argument("photos", metavar="PHOTO", nargs="+", help="pictures, and folders of them")
    batch.add_argument("template", metavar="TEMPLATE", help=f"the last word: {SINGS}")
    batch.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="the folder for the clips")
    batch.add_argument("--kind", metavar="ENDING", default="mp4", help=f"{KINDS}; default: %(default)s")
    batch.add_argument("--resume", action="store_true", help="keep the clips that are there already")
    batch.add_argument("--report", metavar="CSV", type=Path, help="where to write the table; report.csv in DIR")
    _add_options(batch)
    batch.set_defaults(run=_batch)


def _add_rest(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="make the bundled portrait sing", description="Make the bundled portrait sing."
    )
    demo.add_argument(
        "-o", "--out", metavar="OUT", type=Path, default=Path("memegen-demo.mp4"), help="default: %(default)s"
    )
    demo.set_defaults(run=_demo)
    templates = commands.add_parser("templates", help="list what can be sung", description="List what can be sung.")
    templates.set_defaults(run=_templates)
    about = "List the checkpoints of the First Order Motion Model, what is cached and how big it is."
    checkpoints = commands.add_parser("checkpoints", help="list what --engine fomm can run", description=about)
    checkpoints.add_argument(
        "--drop-originals", action="store_true", help="delete published files whose slim copies are there"
    )
    checkpoints.set_defaults(run=_checkpoints)
    inspect = commands.add_parser("inspect", help="tell how a file was made", description="Tell how a file was made.")
    inspect.add_argument("file", metavar="FILE", help="a picture or clip, of any program")
    inspect.add_argument("--json", action="store_true", help="for programs")
    inspect.set_defaults(run=_inspect)


def _add_options(make: argparse.ArgumentParser) -> None:
    """Declare what `make_meme` can be told."""
    make.add_argument("--engine", choices=["mesh", "fomm"], default="mesh", help="default: %(default)s")
    make.add_argument("--start", metavar="SECONDS", type=_decimal, help="where to begin in the driving clip")
    make.add_argument("--duration", metavar="SECONDS", type=_decimal, help="how much of it to use")
    which = "which face, counted from 0 at the left, or all; the largest if left out; for a duet several N=TEMPLATE"
    make.add_argument("--face", metavar="N", action="append", default=[], help=which)
    make.add_argument("--framing", choices=["photo", "face"], default="photo", help="how much of the photo is shown")
    make.add_argument(
        "--expression", metavar="GAIN", type=_decimal, default=1.0, help="stronger mouth and eyes: try 1.2"
    )
    make.add_argument("--motion", metavar="GAIN", type=_decimal, default=1.0, help="calmer head: try 0.8")
    make.add_argument("--max-size", metavar="SIZE", help="the most that the file may take, such as 10MB")
    make.add_argument(
        "--i-have-permission", action="store_true", help="everybody in the photo agreed; remembered on this machine"
    )
    _add_look(make)
    _add_sound(make)
    _add_fomm(make)


def _add_look(make: argparse.ArgumentParser) -> None:
    look = make.add_argument_group("captions and canvas")
    look.add_argument("--top", metavar="TEXT", help="text at the top")
    look.add_argument("--bottom", metavar="TEXT", help="text at the bottom")
    words = "the words, lit as they are sung; the template's own, or those of an .lrc or .srt file"
    look.add_argument("--subtitles", metavar="FILE", nargs="?", const=True, help=words)
    look.add_argument("--format", choices=["original", "square", "vertical", "horizontal", "sticker"])
    look.add_argument("--bars", metavar="COLOUR", help="what is beside the picture: blur, or a colour; default: blur")
    look.add_argument("--side-by-side", action="store_true", default=None, help="show the driving clip as well")
    look.add_argument("--intro", metavar="TITLE", help="begin with a second of the photo and this title")
    label = look.add_mutually_exclusive_group()
    label.add_argument("--label", metavar="TEXT", help="say in other words that it was made with AI")
    label.add_argument("--no-label", dest="label", action="store_false", default=None, help="if you label it elsewhere")
    corners = ["top-left", "top-right", "bottom-left", "bottom-right"]
    look.add_argument("--label-corner", choices=corners, help="default: bottom-right")


def _add_sound(make: argparse.ArgumentParser) -> None:
    sound = make.add_argument_group("sound")
    sound.add_argument("--audio", metavar="FILE", help="use the sound of this file")
    sound.add_argument("--mute", action="store_true", help="leave the sound out")
    sound.add_argument("--offset", metavar="MS", type=_decimal, help="milliseconds by which the sound comes later")
    sound.add_argument("--fade-in", metavar="SECONDS", type=_decimal)
    sound.add_argument("--fade-out", metavar="SECONDS", type=_decimal)
    level = "-40 to -5, or off; default: -14"
    sound.add_argument("--loudness", metavar="LUFS", type=_loudness, default=argparse.SUPPRESS, help=level)
    sound.add_argument("--loop", action="store_true", default=None, help="repeat the sound until the picture ends")


def _loudness(text: str) -> float | None:
    return None if text == "off" else _decimal(text)


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, write it as in 1.5") from error


def _add_fomm(make: argparse.ArgumentParser) -> None:
    fomm = make.add_argument_group("with --engine fomm, the First Order Motion Model (memegen[fomm])")
    fomm.add_argument("--checkpoint", metavar="NAME", help="a name from `memegen checkpoints`, or a file; default: vox")
    crop = fomm.add_mutually_exclusive_group()
    crop.add_argument(
        "--crop", metavar="L,T,R,B", help="where the subject is in the photo, pixels, if no face is found"
    )
    crop.add_argument("--no-crop", action="store_true", help="take the middle squares of photo and clip")
    fomm.add_argument("--absolute", action="store_true", help="the driver's own shape and place, not its movement")
    fomm.add_argument("--first-frame", action="store_true", help="count movement from the first frame, not the best")
    fomm.add_argument(
        "--landmarks",
        choices=["mesh", "face-alignment"],
        help="what finds the face; face-alignment (memegen[landmarks]) is for hard poses, and slow without a GPU",
    )
    fomm.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], help="default: the fastest there is")
    fomm.add_argument(
        "--backend", choices=["torch", "openvino"], help="openvino pays on clips over 10 s, without a GPU"
    )
    fomm.add_argument("--exact", action="store_true", help="float32 throughout, slower")


def _make(options: argparse.Namespace) -> None:
    _ask_permission(options)
    song = _duet(options) or options.template
    name = Path(options.template).stem if isinstance(song, str) else "duet"
    _sing(options.photo, song, options, out=options.out or Path(f"{Path(options.photo).stem}-{name}.mp4"))


def _demo(options: argparse.Namespace) -> None:
    from memegen.base.downloads import asset

    _sing(asset("portrait.jpg"), DEFAULT, None, out=options.out)


def _sing(photo: str | Path, song: str | dict[int, str], options: argparse.Namespace | None, *, out: Path) -> None:
    """Make the clip and say where it is."""
    from memegen.base.progress import ProgressBars
    from memegen.meme import make_meme

    begun = time.monotonic()
    with ProgressBars() as bars:
        words = {} if options is None else _words(options, bars)
        meme = make_meme(photo, song, out=out, progress=bars, **words)
    sound = "with sound" if meme.has_audio else "without sound"
    took = time.monotonic() - begun
    sys.stdout.write(f"{out}: {meme.duration:.1f} s {sound}, {meme.width} x {meme.height}, made in {took:.1f} s\n")


def _batch(options: argparse.Namespace) -> bool:
    """Make the clips, with a line for each photo, the failures once more at the end, and a table of all.

    Returns:
        Whether any failed.
    """
    from memegen.base.progress import ProgressBars
    from memegen.batch import make_batch, write_report

    _ask_permission(options)
    song = _duet(options) or options.template
    if Path(options.template).is_dir() or Path(options.template).suffix.lower() in (".jpg", ".jpeg", ".png"):
        raise InputError(f"The last word is what they sing, but {options.template} is a photo: add a template.")
    table = options.report or options.out / "report.csv"
    if options.report and not options.report.parent.is_dir():
        raise OutputError(f"There is no folder {options.report.parent} for the report: create it, or choose another.")
    outcomes = []
    with ProgressBars() as bars:
        words = _words(options, bars)
        suffix = f".{options.kind.lstrip('.')}"
        for one in make_batch(
            options.photos, song, options.out, suffix=suffix, resume=options.resume, progress=bars, **words
        ):
            bars.__exit__()
            result = one.message if one.status == "failed" else f"{one.clip} ({one.seconds:.1f} s)"
            sys.stdout.write(f"{one.status:<7}{one.photo}: {result}\n")
            outcomes.append(one)
    report = write_report(table, outcomes)
    failed = [one for one in outcomes if one.status == "failed"]
    sys.stdout.write(f"{len(outcomes) - len(failed)} of {len(outcomes)} photos sing; the table is in {report}.\n")
    sys.stdout.writelines(f"Failed: {one.photo}: {one.message}\n" for one in failed)
    return bool(failed)


def _ask_permission(options: argparse.Namespace) -> None:
    """Make sure, once on a machine, that people agreed; say what leaving the label out means."""
    from memegen.provenance import consent

    if options.i_have_permission:
        consent.remember()
    elif not consent.remembered():
        raise InputError(
            f"{consent.QUESTION} If so, add --i-have-permission; it is remembered. RESPONSIBLE_USE.md has the rules."
        )
    if options.label is False:
        sys.stderr.write("memegen: Without the label, say yourself wherever you post it that it was made with AI.\n")


def _duet(options: argparse.Namespace) -> dict[int, str]:
    """Read --face 0=daisy-bell --face 1=clip.mp4; empty when it is no duet."""
    from memegen.templates import read_duet

    return read_duet(options.face) if any("=" in text for text in options.face) else {}


def _number(face: str) -> int:
    try:
        return int(face)
    except ValueError as error:
        raise InputError(f"--face is {face!r}: give a number, counted from 0 at the left, or all.") from error


def _face(options: argparse.Namespace) -> int | Literal["all"] | None:
    """Read --face 1 or --face all."""
    if not options.face or _duet(options):
        return None
    if len(options.face) > 1:
        raise InputError(
            "Several faces: give --face all, or each its song, as in --face 0=daisy-bell --face 1=clip.mp4."
        )
    return "all" if options.face[0] == "all" else _number(options.face[0])


def _words(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """What `make_meme` is told; what was not given is left to its own defaults."""
    always = ("start", "duration", "audio", "mute", "max_size")
    look = ["top", "bottom", "subtitles", "format", "bars", "side_by_side", "intro", "label", "label_corner"]
    given = [*look, "offset", "fade_in", "fade_out", "loop"]
    words = {word: getattr(options, word) for word in always}
    words |= {word: value for word in given if (value := getattr(options, word)) is not None}
    if "loudness" in options:
        words["loudness"] = options.loudness
    return words | {"engine": _animator(options, progress)}


def _animator(options: argparse.Namespace, progress: Progress) -> Animator:
    """Load the engine that the options ask for."""
    from memegen.animator import load_animator

    common: dict[str, Any] = {"face": _face(options), "framing": options.framing, "progress": progress}
    common |= {"expression": options.expression, "motion": options.motion}
    chosen: dict[str, Any] = {
        "crop": "none" if options.no_crop else options.crop and _box(options.crop),
        "relative": False if options.absolute else None,
        "best_frame": False if options.first_frame else None,
        "landmarks": options.landmarks,
        "device": options.device,
        "precision": "float32" if options.exact else None,
        "backend": options.backend,
    }
    chosen = {word: value for word, value in chosen.items() if value is not None}
    if options.engine == "fomm":
        return load_animator(options.checkpoint or "vox", **common, **chosen)
    if options.checkpoint or chosen:
        raise InputError("--checkpoint, --crop and what is listed with them belong to --engine fomm: add that.")
    return load_animator("mesh", **common)


def _box(text: str) -> FaceBox:
    """Read LEFT,TOP,RIGHT,BOTTOM."""
    from memegen.face.cropping import FaceBox

    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"The crop {text!r} is not a box: give LEFT,TOP,RIGHT,BOTTOM in pixels.") from error
    if left >= right or top >= bottom:
        raise InputError(f"The crop {text} is empty: LEFT must be less than RIGHT, and TOP less than BOTTOM.")
    return FaceBox(left, top, right, bottom)


def _checkpoints(options: argparse.Namespace) -> None:
    from memegen.base.downloads import cache_dir
    from memegen.fomm.checkpoint import CHECKPOINTS, FOLDER, drop_originals

    if options.drop_originals:
        sys.stdout.write(f"Freed {drop_originals() / 1e6:.0f} MB.\n")
    for checkpoint in CHECKPOINTS:
        size = f"{checkpoint.size / 1e6:.0f} MB to fetch" if checkpoint.size else "about 730 MB to fetch"
        state = f"cached, {checkpoint.cached_bytes / 1e6:.0f} MB" if checkpoint.cached_bytes else size
        sys.stdout.write(f"{checkpoint.name:<12}{checkpoint.subject} ({state})\n")
    sys.stdout.write(f"Kept in {cache_dir() / FOLDER}\n")


def _templates(options: argparse.Namespace) -> None:
    from memegen.templates import TEMPLATES

    for template in TEMPLATES:
        where = "bundled" if template.bundled else "fetched at first use"
        sys.stdout.write(
            f"{template.name} ({where})\n    {template.title}. {template.credit}\n    {template.licence}\n"
        )


def _inspect(options: argparse.Namespace) -> None:
    from memegen.provenance.inspection import inspect

    report = inspect(options.file)
    sys.stdout.write(report.to_json() + "\n" if options.json else "".join(f"{line}\n" for line in report.lines()))
