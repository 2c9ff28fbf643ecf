"""The command line: memegen make, batch, demo, inspect, templates and checkpoints."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from memegen.base.errors import InputError, MemegenError, OutputError
from memegen.base.files import plain_stem
from memegen.base.options import Option, options_of
from memegen.base.version import __version__

if TYPE_CHECKING:
    from memegen.face.cropping import FaceBox

DEFAULT = "daisy-bell"
SINGS = "a name from `memegen templates`, or any video file or address"
KINDS = ".mp4, .mov, .gif, .webp, or .png for a still"
INTERRUPTED = 130  # the exit code that shells use after Ctrl-C

# Options whose flag is not simply `--name VALUE`: flag, value and help.
SWITCHES: dict[str, tuple[str, Any, str]] = {
    "label": ("--no-label", False, "leave the label out, if you label it elsewhere"),
    "crop": ("--no-crop", "none", "take the middle squares of photo and clip"),
    "relative": ("--absolute", False, "take the driver's own shape and place, not its movement"),
    "best_frame": ("--first-frame", False, "count movement from the first frame, not from the best"),
    "precision": ("--exact", "float32", "compute in float32 throughout; slower"),
}
ONLY_SWITCHES = ("relative", "best_frame", "precision")
METAVARS = {
    **dict.fromkeys(("top", "bottom", "label"), "TEXT"),
    **dict.fromkeys(("audio", "subtitles"), "FILE"),
    **dict.fromkeys(("expression", "motion"), "GAIN"),
    **{"face": "N", "bars": "COLOUR", "intro": "TITLE", "max_size": "SIZE", "offset": "MS", "crop": "L,T,R,B"},
}
NOTES = {"face": "; for a duet several N=TEMPLATE", "loudness": "; off leaves it as it is"}
REPEATS: dict[str, dict[str, Any]] = {"face": {"action": "append"}, "subtitles": {"nargs": "?", "const": True}}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command in one line, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"memegen: {message}. See {self.prog} --help.\n")
        sys.exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 after one plain line on stderr, 130 after Ctrl-C.

    A batch in which a photo failed returns 1 too; its lines are on stdout.

    Args:
        argv: The words after `memegen`; those of the process when None.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(format="memegen: %(message)s", level=logging.WARNING)
    if options.verbose:
        logging.getLogger("memegen").setLevel(logging.DEBUG)
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as after Ctrl-C: clean up first
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal can't show must not fail
    try:
        failed = bool(options.run(options))
        sys.stdout.flush()
    except MemegenError as error:
        sys.stderr.write(f"memegen: {_sentence(error)}\n")
        return 1
    except KeyboardInterrupt:
        done = "finished clips are kept" if options.run is _batch else "nothing was written"
        sys.stderr.write(f"\nmemegen: Stopped; {done}.\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader closed the pipe, as in `memegen templates | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(failed)


def _sentence(error: MemegenError) -> str:
    """Return an error in one line, its remedy spelled as flags."""
    flags = [
        SWITCHES[name][0]
        if name in SWITCHES and value == SWITCHES[name][1]
        else f"--{_dashed(name)}"
        if value is True
        else f"--{_dashed(name)} {value}"
        for name, value in error.remedy.items()
    ]
    words = " ".join(line.strip() for line in error.message.splitlines())
    return f"{words} Or use {' '.join(flags)}." if flags else words


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="memegen", description="One photo in, a singing meme out.")
    parser.add_argument("--version", action="version", version=f"memegen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_make(commands)
    _add_batch(commands)
    _add_rest(commands)
    for command in commands.choices.values():
        command.add_argument("--verbose", action="store_true", help="show details too, such as the words of ffmpeg")
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
    about = "Make many photos sing; failures are listed at the end and do not stop the rest."
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
    about = "Make the bundled portrait sing."
    demo = commands.add_parser("demo", help="make the bundled portrait sing", description=about)
    out = Path("memegen-demo.mp4")
    demo.add_argument("-o", "--out", metavar="OUT", type=Path, default=out, help="default: %(default)s")
    demo.set_defaults(run=_demo)
    templates = commands.add_parser("templates", help="list the songs", description="List the songs.")
    templates.set_defaults(run=_templates)
    about = "List the checkpoints of the First Order Motion Model, which are cached and how big they are."
    checkpoints = commands.add_parser("checkpoints", help="list the checkpoints for --engine fomm", description=about)
    dropped = "delete downloaded files that have a slim copy"
    checkpoints.add_argument("--drop-originals", action="store_true", help=dropped)
    checkpoints.set_defaults(run=_checkpoints)
    about = "Show how a file was made."
    inspect = commands.add_parser("inspect", help="show how a file was made", description=about)
    inspect.add_argument("file", metavar="FILE", help="a picture or clip, of any program")
    inspect.add_argument("--json", action="store_true", help="for programs")
    inspect.set_defaults(run=_inspect)


def _add_options(command: argparse.ArgumentParser) -> None:
    """Add every option of `make_meme`, as the option dataclasses declare it."""
    from memegen.face.options import Acting
    from memegen.fomm.options import FommOptions
    from memegen.look.options import Look
    from memegen.media.options import Cut, Sound

    command.add_argument("--engine", choices=["mesh", "fomm"], default="mesh", help="default: %(default)s")
    agreed = "everybody in the photo agreed; remembered on this machine"
    command.add_argument("--i-have-permission", action="store_true", help=agreed)
    _add_group(command, "the face", Acting)
    _add_group(command, "the song and the file", Cut)
    _add_group(command, "captions and canvas", Look)
    _add_group(command, "sound", Sound)
    fomm = _add_group(command, "with --engine fomm, the First Order Motion Model (memegen[fomm])", FommOptions)
    checkpoint = "a name from `memegen checkpoints`, or a file; default: vox"
    fomm.add_argument("--checkpoint", metavar="NAME", help=checkpoint)


def _add_group(command: argparse.ArgumentParser, title: str, kind: type[Any]) -> Any:
    group = command.add_argument_group(title)
    for one in options_of(kind):
        place = group.add_mutually_exclusive_group()
        if one.name not in ONLY_SWITCHES:
            place.add_argument(f"--{_dashed(one.name)}", default=argparse.SUPPRESS, help=_help(one), **_reading(one))
        if one.name in SWITCHES:
            flag, value, words = SWITCHES[one.name]
            place.add_argument(
                flag, dest=one.name, action="store_const", const=value, default=argparse.SUPPRESS, help=words
            )
    return group


def _help(one: Option) -> str:
    """Return an option's help for argparse, with its default where that says something."""
    text = one.help[0].lower() + one.help[1:].removesuffix(".") + NOTES.get(one.name, "")
    default = f"{one.default:g}" if one.is_number and one.default is not None else one.default
    return f"{text}; default: {default}" if one.default and one.name not in SWITCHES else text


def _reading(one: Option) -> dict[str, Any]:
    """Return how argparse reads an option: a switch, one of several words, a number or a text."""
    if one.choices:
        return {"choices": list(one.choices)}
    if one.default is False and one.name != "subtitles":
        return {"action": "store_true"}
    read = {"loudness": _number_or_off, "crop": _box}.get(one.name, _number if one.is_number else str)
    return {"metavar": METAVARS.get(one.name, one.unit.upper()), "type": read, **REPEATS.get(one.name, {})}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, write it as in 1.5") from error


def _number_or_off(text: str) -> float | None:
    return None if text == "off" else _number(text)


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


def _make(options: argparse.Namespace) -> None:
    _ask_permission(options)
    song = _duet(options) or options.template
    name = plain_stem(options.template) if isinstance(song, str) else "duet"
    out = options.out or Path(f"{plain_stem(options.photo)}-{name}.mp4")
    _sing(options.photo, song, out, _words(options))


def _demo(options: argparse.Namespace) -> None:
    from memegen.base.downloads import asset

    _sing(asset("portrait.jpg"), DEFAULT, options.out, {})


def _sing(photo: str | Path, song: str | dict[int, str], out: Path, words: Mapping[str, Any]) -> None:
    """Make the clip and print where it is."""
    from memegen.base.progress import ProgressBars
    from memegen.meme import make_meme

    begun = time.monotonic()
    with ProgressBars(drawn=sys.stderr.isatty()) as bars:
        meme = make_meme(photo, song, out=out, progress=bars, **words)
    sound = "with sound" if meme.has_audio else "without sound"
    took = time.monotonic() - begun
    sys.stdout.write(f"{out}: {meme.duration:.1f} s {sound}, {meme.width} x {meme.height}, made in {took:.1f} s\n")


def _batch(options: argparse.Namespace) -> bool:
    """Make the clips; print a line for each photo and the failures again at the end; write the table.

    Returns:
        Whether any failed.
    """
    from memegen.base.progress import ProgressBars
    from memegen.batch import Outcome, make_batch, write_report

    _ask_permission(options)
    song = _duet(options) or options.template
    if Path(options.template).is_dir() or Path(options.template).suffix.lower() in (".jpg", ".jpeg", ".png"):
        raise InputError(f"The last word is what they sing, but {options.template} is a photo: add a template.")
    table = options.report or options.out / "report.csv"
    if options.report and not options.report.parent.is_dir():
        raise OutputError(f"There is no folder {options.report.parent} for the report: create it, or choose another.")
    how = {"suffix": f".{options.kind.lstrip('.')}", "resume": options.resume, **_words(options)}
    outcomes: list[Outcome] = []
    try:
        with ProgressBars(drawn=sys.stderr.isatty()) as bars:
            for one in make_batch(options.photos, song, options.out, progress=bars, **how):
                bars.close()
                result = _sentence(one.error) if one.error else f"{one.clip} ({one.seconds:.1f} s)"
                sys.stdout.write(f"{one.status:<7}{one.photo}: {result}\n")
                outcomes.append(one)
    except KeyboardInterrupt:
        if outcomes:
            sys.stdout.write(f"The table of the photos so far is in {write_report(table, outcomes)}.\n")
        raise
    report = write_report(table, outcomes)
    failed = [one for one in outcomes if one.error]
    sys.stdout.write(f"{len(outcomes) - len(failed)} of {len(outcomes)} photos sing; the table is in {report}.\n")
    sys.stdout.writelines(f"Failed: {one.photo}: {_sentence(one.error)}\n" for one in failed if one.error)
    return bool(failed)


def _ask_permission(options: argparse.Namespace) -> None:
    """Make sure that people agreed (remembered on this machine), and say what leaving out the label means."""
    from memegen.provenance import consent

    if options.i_have_permission:
        consent.remember()
    elif not consent.remembered():
        raise InputError(
            f"{consent.QUESTION} If so, add --i-have-permission; it is remembered. RESPONSIBLE_USE.md has the rules."
        )
    if getattr(options, "label", True) is False:
        sys.stderr.write("memegen: There is no label: wherever you post the clip, say that it was made with AI.\n")


def _duet(options: argparse.Namespace) -> dict[int, str]:
    """Read --face 0=daisy-bell --face 1=clip.mp4; return nothing when it is not a duet."""
    from memegen.templates import read_duet

    faces = getattr(options, "face", [])
    return read_duet(faces) if any("=" in text for text in faces) else {}


def _face(faces: Sequence[str]) -> int | str:
    """Read --face 1 or --face all."""
    if len(faces) > 1:
        raise InputError(
            "Several faces: give --face all, or each its song, as in --face 0=daisy-bell --face 1=clip.mp4."
        )
    try:
        return "all" if faces[0] == "all" else int(faces[0])
    except ValueError as error:
        raise InputError(f"--face is {faces[0]!r}: give a number, counted from 0 at the left, or all.") from error


def _words(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords for `make_meme`; an option that was not given keeps its default."""
    from memegen.fomm.options import FommOptions
    from memegen.meme import OPTIONS

    words = {
        one.name: getattr(options, one.name) for kind in OPTIONS for one in options_of(kind) if one.name in options
    }
    if "face" in words:
        face = words.pop("face")
        words |= {} if _duet(options) else {"face": _face(face)}
    if options.engine == "fomm":
        return words | {"engine": options.checkpoint or "vox"}
    if options.checkpoint or any(one.name in words for one in options_of(FommOptions)):
        raise InputError("--checkpoint, --crop and the options listed with them need --engine fomm: add that.")
    return words


def _checkpoints(options: argparse.Namespace) -> None:
    from memegen.base.downloads import cache_dir
    from memegen.fomm.checkpoint import CHECKPOINTS, FOLDER, drop_originals

    if options.drop_originals:
        sys.stdout.write(f"Freed {drop_originals() / 1e6:.0f} MB.\n")
    for checkpoint in CHECKPOINTS:
        size = f"{checkpoint.size / 1e6:.0f} MB to download" if checkpoint.size else "about 730 MB to download"
        state = f"cached, {checkpoint.cached_bytes / 1e6:.0f} MB" if checkpoint.cached_bytes else size
        sys.stdout.write(f"{checkpoint.name:<12}{checkpoint.subject} ({state})\n")
    sys.stdout.write(f"Kept in {cache_dir() / FOLDER}\n")


def _templates(options: argparse.Namespace) -> None:
    from memegen.templates import TEMPLATES

    for template in TEMPLATES:
        where = "bundled" if template.bundled else "downloaded at first use"
        sys.stdout.write(
            f"{template.name} ({where})\n    {template.title}. {template.credit}\n    {template.licence}\n"
        )


def _inspect(options: argparse.Namespace) -> None:
    from memegen.provenance.inspection import inspect

    report = inspect(options.file)
    sys.stdout.write(report.to_json() + "\n" if options.json else "".join(f"{line}\n" for line in report.lines()))
