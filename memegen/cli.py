"""The command line: memegen make, batch, swap, demo, inspect, templates and checkpoints."""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from memegen.base.errors import InputError, MemegenError, OutputError
from memegen.base.files import check_file, expanded, is_address, plain_stem
from memegen.base.options import Option, did_you_mean, options_of, sort_options
from memegen.base.version import __version__

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from memegen.face.cropping import FaceBox
    from memegen.media.video import Video

DEFAULT = "daisy-bell"
SONGS = (".mp3", ".wav", ".m4a", ".ogg", ".opus", ".flac")
SINGS = "a name from `memegen templates`, any video or sound file, or a web address"
KINDS = ".mp4, .mov, .webm, .gif, .webp, .apng, or .png for a still"
MISUSED = 2  # the exit code of other programs for a command that they do not understand
INTERRUPTED = 130  # the exit code that shells use after Ctrl-C

# What argparse says, as patterns, and what we say instead.
PLAIN = (
    (r"the following arguments are required: (.+)", r"Missing: \1."),
    (r"argument (\S+): expected .+", r"\1 needs a value."),
    (r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)", r"\1 can't be \2: choose one of \3."),
    (r"argument (\S+): not allowed with argument (\S+)", r"\2 and \1 can't be used together: leave one out."),
    (r"argument (\S+): ignored explicit argument (.+)", r"\1 takes no value: leave \2 out."),
    (r"ambiguous option: (\S+) could match (.+)", r"\1 can mean \2: write it out."),
    (r"argument (\S+): (.+)", r"\1: \2"),
)

# Options whose flag is not simply `--name VALUE`: flag, value and help.
SWITCHES: dict[str, tuple[str, Any, str]] = {
    "label": ("--no-label", False, "leave the label out, if you label it elsewhere"),
    "crop": ("--no-crop", "none", "take the middle squares of photo and clip"),
    "relative": ("--absolute", False, "take the driver's own shape and place, not its movement"),
    "best_frame": ("--first-frame", False, "count movement from the first frame, not from the best"),
    "cutout": ("--no-cutout", False, "keep what is behind the head, also in a sticker"),
    "precision": ("--exact", "float32", "compute in float32 throughout; slower"),
}
FLAGS = {"destination": "for"}  # options that the command spells differently
ONLY_SWITCHES = ("relative", "best_frame", "precision")
METAVARS = {
    **dict.fromkeys(("top", "bottom", "label", "words"), "TEXT"),
    **dict.fromkeys(("audio", "subtitles"), "FILE"),
    **dict.fromkeys(("expression", "motion"), "GAIN"),
    **dict.fromkeys(("whose", "onto"), "N"),
    **{
        "destination": "PLACE",
        "face": "N",
        "bars": "COLOUR",
        "intro": "TITLE",
        "max_size": "SIZE",
        "offset": "MS",
        "crop": "L,T,R,B",
        "name": "NAME",
    },
}
HELP = {  # where the flag does not take what the option takes in Python, or has more to say
    "face": "which face sings: a number, counted from 0 at the left, or all; the largest when left out. "
    "In a duet, once for each face: --face 0=daisy-bell --face 1=clip.mp4",
    "label": "other words for the label, which says that the clip was made with AI",
    "crop": "where the subject is in the photo, in pixels, if no face is found",
    "max_size": "largest size of the file, with a unit, as in 10MB or 500kB; no limit when left out",
    "loudness": "integrated loudness of the sound (EBU R 128), or off to leave it as it is",
}
REPEATS: dict[str, dict[str, Any]] = {"face": {"action": "append"}, "subtitles": {"nargs": "?", "const": True}}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command in one plain line, like every other mistake.

    Attributes:
        commands: The parser of each command, by its name.
    """

    commands: Mapping[str, _Parser]

    def error(self, message: str) -> NoReturn:
        for pattern, words in PLAIN:
            message = re.sub(f"^{pattern}$", words, message, flags=re.DOTALL)
        sys.stderr.write(f"memegen: {message.strip()} See {self.prog} --help.\n")
        sys.exit(MISUSED)

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Report the words of a command that are left over."""
        for flag in (word.partition("=")[0] for word in words if word.startswith("-")):
            self.error(f"There is no option {flag!r}. {did_you_mean(flag, self._option_string_actions)}")
        self.error(f"Too many words: {shlex.join(words)}. Put a name with spaces in quotes.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 after one plain line on stderr, 130 after Ctrl-C.

    A batch in which a photo failed returns 1 too; its lines are on stdout.

    Args:
        argv: The words after `memegen`; those of the process when None.

    Raises:
        SystemExit: With 2 after one plain line on stderr, if the command is not understood; with 0 after a help text.
    """
    options = _parse(sys.argv[1:] if argv is None else argv)
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
        kept = {
            _batch: "finished clips are kept",
            _swap: "what was learned is kept, and the same command goes on from it",
        }
        done = kept.get(options.run, "nothing was written")
        sys.stderr.write(f"\nmemegen: Stopped; {done}.\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader closed the pipe, as in `memegen templates | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(failed)


def _sentence(error: MemegenError) -> str:
    """Return an error in one line, its remedy spelled as flags."""
    flags = [_flag(name, value) for name, value in error.remedy.items()]
    words = " ".join(line.strip() for line in error.message.splitlines())
    return f"{words} Or use {' '.join(flags)}." if flags else words


def _flag(name: str, value: object) -> str:
    """Return an option of `make_meme` as it is typed in a command."""
    if name in SWITCHES and value == SWITCHES[name][1]:
        return SWITCHES[name][0]
    return f"--{_dashed(name)}" if value is True else f"--{_dashed(name)} {value}"


def _dashed(name: str) -> str:
    return FLAGS.get(name, name).replace("_", "-")


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command; after its name, options and other words may come in any order."""
    parser = _parser()
    name = words[0] if words else "-"
    if name.startswith("-"):
        parser.parse_known_args(words[:1])  # ends here for --help and --version
        parser.error(f"Begin with a command: {', '.join(parser.commands)}.")
    if name not in parser.commands:
        _refuse_command(parser, words)
    command = parser.commands[name]
    end = words.index("--") if "--" in words else len(words)
    names = [f"./{word}" if word.startswith("-") else word for word in words[end + 1 :]]  # no options after --
    options, unknown = command.parse_known_intermixed_args([*words[1:end], *names])
    if unknown:
        command.refuse(unknown)
    options.parser, options.typed = command, words
    return options


def _refuse_command(parser: _Parser, words: Sequence[str]) -> NoReturn:
    """Report a first word that is no command: a photo, or a misspelling."""
    from memegen.media.images import PHOTO_SUFFIXES

    first = words[0]
    if os.path.lexists(first) or Path(first).suffix.lower() in PHOTO_SUFFIXES:
        meant = shlex.join(["memegen", "batch" if _is_folder(first) else "make", *words])
        parser.error(f"There is no command {first!r}. Did you mean `{meant}`?")
    commands = ", ".join(parser.commands)
    parser.error(f"There is no command {first!r}. {did_you_mean(first, parser.commands)}Known commands: {commands}.")


def _parser() -> _Parser:
    parser = _Parser(prog="memegen", description="One photo in, a singing meme out.")
    parser.add_argument("--version", action="version", version=f"memegen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_make(commands)
    _add_batch(commands)
    _add_swap(commands)
    _add_rest(commands)
    for command in commands.choices.values():
        command.add_argument("--verbose", action="store_true", help="show more, such as the messages of ffmpeg")
    parser.commands = commands.choices
    return parser


def _add_make(commands: Any) -> None:
    usage, about = "%(prog)s PHOTO [TEMPLATE] [options]", "Make a photo sing."
    make = commands.add_parser("make", help="make a photo sing", usage=usage, description=about)
    make.add_argument("photo", metavar="PHOTO", help="a picture or a video with a face: a file or a web address")
    make.add_argument("template", metavar="TEMPLATE", nargs="?", default=DEFAULT, help=f"{SINGS}; default: {DEFAULT}")
    out = f"the file to write: {KINDS}; PHOTO-TEMPLATE.mp4, or what --for takes, when left out"
    make.add_argument("-o", "--out", metavar="OUT", type=Path, help=out)
    make.add_argument(
        "--tune", metavar="NAME", help="another way to give TEMPLATE, as in --tune daisy-bell --words TEXT"
    )
    _add_options(make)
    make.set_defaults(run=_make)


def _add_batch(commands: Any) -> None:
    usage = "%(prog)s PHOTO [PHOTO ...] TEMPLATE -o DIR [options]"
    about = "Make many photos sing. A photo that fails does not stop the rest; the last lines list what failed."
    batch = commands.add_parser("batch", help="make many photos sing", usage=usage, description=about)
    batch.add_argument(
        "photos", metavar="PHOTO", nargs="+", help="files, folders of photos, and web addresses; single videos too"
    )
    batch.add_argument("template", metavar="TEMPLATE", help=f"the last word: {SINGS}")
    batch.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="the folder for the clips")
    batch.add_argument("--kind", metavar="ENDING", help=f"{KINDS}; default: what --for takes, else mp4")
    batch.add_argument("--resume", action="store_true", help="keep the clips that are there already")
    where = batch.add_mutually_exclusive_group()
    workers = "make several at a time, in so many processes"
    where.add_argument("--workers", metavar="N", type=int, choices=range(1, 129), help=workers)
    cluster = "make them on a Dask cluster: its scheduler's address, such as tcp://scheduler:8786"
    where.add_argument("--cluster", metavar="ADDRESS", help=cluster)
    table = "where to write the table of results; report.csv in DIR when left out"
    batch.add_argument("--report", metavar="CSV", type=Path, help=table)
    _add_options(batch)
    batch.set_defaults(run=_batch)


def _add_swap(commands: Any) -> None:
    from memegen.look.options import Look
    from memegen.media.options import Cut, Sound
    from memegen.swap.options import Swapping

    usage = "%(prog)s FACES [FACES ...] BODY -o OUT [options]"
    about = (
        "Train networks on two people, and put the face of FACES onto the person in BODY. A run that was stopped or "
        "killed goes on from its checkpoint when the same command is given again."
    )
    swap = commands.add_parser("swap", help="put a face onto somebody else", usage=usage, description=about)
    faces = "clips, folders or zip files of photos that show one person: at least 20 different pictures"
    swap.add_argument("faces", metavar="FACES", nargs="+", help=faces)
    swap.add_argument("body", metavar="BODY", help="the last word: the video that gets the face; its sound is kept")
    out = f"the file to write: {KINDS}; a preview picture beside it is renewed during the training"
    swap.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help=out)
    kept = "the .safetensors file that keeps what was learned; beside OUT when left out"
    swap.add_argument("--checkpoint", metavar="FILE", type=Path, help=kept)
    agreed = "say that both people agreed, the one whose face it is and the one in BODY; this is remembered"
    swap.add_argument("--i-have-permission", action="store_true", help=agreed)
    _add_group(swap, "the training, and who is who", Swapping)
    _add_group(swap, "the clip and the file", Cut, without=("from_sound",))
    _add_group(swap, "captions and canvas", Look, without=("subtitles",))
    _add_group(swap, "sound", Sound)
    swap.set_defaults(run=_swap)


def _add_rest(commands: Any) -> None:
    about = "Make the bundled portrait sing."
    demo = commands.add_parser("demo", help="make the bundled portrait sing", description=about)
    out = Path("memegen-demo.mp4")
    written = "the file to write; default: %(default)s"
    demo.add_argument("-o", "--out", metavar="OUT", type=Path, default=out, help=written)
    demo.set_defaults(run=_demo)
    templates = commands.add_parser("templates", help="list the songs", description="List the songs.")
    templates.set_defaults(run=_templates)
    about = "List the checkpoints of the First Order Motion Model, with their size, and say which are downloaded."
    checkpoints = commands.add_parser("checkpoints", help="list the checkpoints for --engine", description=about)
    dropped = "delete the large downloads of which there is a smaller copy"
    checkpoints.add_argument("--drop-originals", action="store_true", help=dropped)
    checkpoints.set_defaults(run=_checkpoints)
    about = "Show how a file was made."
    inspect = commands.add_parser("inspect", help="show how a file was made", description=about)
    inspect.add_argument("file", metavar="FILE", help="a picture or clip, made by any program")
    inspect.add_argument("--json", action="store_true", help="print JSON, for programs")
    inspect.set_defaults(run=_inspect)


def _add_options(command: argparse.ArgumentParser) -> None:
    """Add every option of `make_meme`, as the option dataclasses declare it."""
    from memegen.face.options import Acting
    from memegen.fomm.options import FommOptions
    from memegen.look.options import Look
    from memegen.media.options import Cut, Sound
    from memegen.singer.options import Singing

    engine = "mesh, a name from `memegen checkpoints`, or a checkpoint's file; default: %(default)s"
    command.add_argument("--engine", metavar="NAME", default="mesh", help=engine)
    agreed = "say that everybody in the photo or video agreed; this is remembered on this machine"
    command.add_argument("--i-have-permission", action="store_true", help=agreed)
    _add_group(command, "the face", Acting)
    _add_group(command, "the song and the file", Cut)
    _add_group(command, "a name, other words or another voice, for a tune of the drawn singer", Singing)
    _add_group(command, "captions and canvas", Look)
    _add_group(command, "sound", Sound)
    _add_group(command, "only with a checkpoint, as in --engine vox", FommOptions)


def _add_group(command: argparse.ArgumentParser, title: str, kind: type[Any], *, without: Sequence[str] = ()) -> None:
    group = command.add_argument_group(title)
    for one in (one for one in options_of(kind) if one.name not in without):
        place = group.add_mutually_exclusive_group()
        if one.name not in ONLY_SWITCHES:
            flag = f"--{_dashed(one.name)}"
            place.add_argument(flag, dest=one.name, default=argparse.SUPPRESS, help=_help(one), **_reading(one))
        if one.name in SWITCHES:
            flag, value, words = SWITCHES[one.name]
            place.add_argument(
                flag, dest=one.name, action="store_const", const=value, default=argparse.SUPPRESS, help=words
            )


def _help(one: Option) -> str:
    """Return an option's help for argparse, with its default where that says something."""
    text = HELP.get(one.name) or one.help[0].lower() + one.help[1:].removesuffix(".")
    default = f"{one.default:g}" if one.is_number and one.default is not None else one.default
    return f"{text}; default: {default}" if one.default and one.name not in SWITCHES else text


def _reading(one: Option) -> dict[str, Any]:
    """Return how argparse reads an option: a switch, one of several words, a number or a text."""
    if one.choices:
        return {"choices": list(one.choices), **({"metavar": "PLACE"} if one.name == "destination" else {})}
    if one.default is False and one.name != "subtitles":
        return {"action": "store_true"}
    read = {"loudness": _number_or_off, "crop": _box, "whose": _count, "onto": _count}.get(
        one.name, _number if one.is_number else str
    )
    return {"metavar": METAVARS.get(one.name, one.unit.upper()), "type": read, **REPEATS.get(one.name, {})}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number: write it as in 1.5.") from error


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number: count from 0 at the left.") from error


def _number_or_off(text: str) -> float | None:
    return None if text == "off" else _number(text)


def _box(text: str) -> FaceBox:
    """Read LEFT,TOP,RIGHT,BOTTOM."""
    from memegen.face.cropping import FaceBox

    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a box: give LEFT,TOP,RIGHT,BOTTOM in pixels.") from error
    if left >= right or top >= bottom:
        raise argparse.ArgumentTypeError(f"{text} is empty: LEFT must be less than RIGHT, and TOP less than BOTTOM.")
    return FaceBox(left, top, right, bottom)


def _make(options: argparse.Namespace) -> None:
    from memegen.media.destinations import destination_of
    from memegen.media.video import check_output

    options.template = options.tune or options.template
    _check_order(options, [options.photo])
    song = _duet(options) or options.template
    name = plain_stem(options.template) if isinstance(song, str) else "duet"
    words = _words(options)
    out = options.out or Path(f"{plain_stem(options.photo)}-{name}{destination_of(words).suffix}")
    if not is_address(options.photo):
        check_file(options.photo, kind="photo")
    check_output(out, inputs=[options.photo, *_check_songs(song, words)])
    _ask_permission(options)
    _sing(options.photo, song, out, words)


def _demo(options: argparse.Namespace) -> None:
    from memegen.base.downloads import asset

    _sing(asset("portrait.jpg"), DEFAULT, options.out, {})


def _sing(photo: str | Path, song: str | dict[int, str], out: Path, words: Mapping[str, Any]) -> None:
    """Make the clip and print where it is."""
    from memegen.base.progress import ProgressBars
    from memegen.media.destinations import destination_of
    from memegen.meme import make_meme

    begun = time.monotonic()
    with ProgressBars(drawn=sys.stderr.isatty()) as bars:
        meme = make_meme(photo, song, out=out, progress=bars, **words)
    sys.stdout.write(_made(out, meme, begun))
    place = destination_of(words)
    if place.source:
        sys.stdout.write(f"{place.title}: {place.limits}. {place.note}".rstrip() + "\n")


def _made(out: Path, clip: Video, begun: float) -> str:
    """Say in a line what was made."""
    sound = "with sound" if clip.has_audio else "without sound"
    took = time.monotonic() - begun
    return f"{out}: {clip.duration:.1f} s {sound}, {clip.width} x {clip.height}, made in {took:.1f} s\n"


def _swap(options: argparse.Namespace) -> None:
    from memegen.base.progress import ProgressBars
    from memegen.provenance.consent import SWAP_QUESTION
    from memegen.swap.making import OPTIONS, swap

    begun = time.monotonic()
    words = _given(options, OPTIONS)
    sort_options(words, *OPTIONS)
    _ask_permission(options, SWAP_QUESTION)
    faces = options.faces if len(options.faces) > 1 else options.faces[0]
    with ProgressBars(drawn=sys.stderr.isatty()) as bars:
        clip = swap(faces, options.body, out=options.out, checkpoint=options.checkpoint, progress=bars, **words)
    sys.stdout.write(_made(options.out, clip, begun))
    kept = options.checkpoint or options.out.with_suffix(".safetensors")
    sys.stdout.write(f"What was learned is in {kept}. For sharper faces give the command again with more --minutes.\n")


def _batch(options: argparse.Namespace) -> bool:
    """Make the clips; print a line for each photo and the failures again at the end; write the table.

    Returns:
        Whether any failed.
    """
    from memegen.base.progress import ProgressBars
    from memegen.batch import Outcome, make_batch, write_report

    photos, song, how = _plan_batch(options)
    table = options.report or options.out / "report.csv"
    _ask_permission(options)
    outcomes: list[Outcome] = []
    try:
        with ExitStack() as stack:
            bars = stack.enter_context(ProgressBars(drawn=sys.stderr.isatty()))
            how["executor"] = stack.enter_context(_executor(options))
            made = make_batch(photos, song, options.out, progress=bars, **how)
            for one in stack.enter_context(closing(made)):
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


def _executor(options: argparse.Namespace) -> AbstractContextManager[Executor | None]:
    """Return what --workers or --cluster names."""
    from memegen.base.processes import Processes
    from memegen.batch import cluster

    if options.cluster:
        return cluster(options.cluster)
    return Processes(options.workers) if options.workers else nullcontext()


def _plan_batch(options: argparse.Namespace) -> tuple[list[Path | str], str | dict[int, str], dict[str, Any]]:
    """Check a batch, and return its photos, its song or duet, and the keywords for `make_batch`."""
    from memegen.batch import check_suffix, find_photos

    _check_order(options, options.photos)
    song = _duet(options) or options.template
    suffix = f".{options.kind.lstrip('.')}" if options.kind else None
    how = {"suffix": suffix, "resume": options.resume, **_words(options)}
    if suffix:
        check_suffix(suffix)
    if options.report and not options.report.parent.is_dir():
        raise OutputError(f"There is no folder {options.report.parent} for the report: create it, or choose another.")
    for photo in options.photos:
        if not is_address(photo) and not os.path.lexists(expanded(photo)):
            check_file(photo, kind="photo or folder")
    _check_songs(song, how)
    return find_photos(options.photos), song, how


def _check_order(options: argparse.Namespace, photos: Sequence[str]) -> None:
    """Answer a song that comes before the photos, and a batch without a song."""
    from memegen.media.encoders import MOVIES
    from memegen.media.images import PHOTO_SUFFIXES
    from memegen.templates import TEMPLATES

    first, last = photos[0], options.template
    if _is_folder(last) or Path(last).suffix.lower() in PHOTO_SUFFIXES:
        named = any(template.name == first for template in TEMPLATES) and not os.path.lexists(first)
        if named or Path(first).suffix.lower() in (*MOVIES, *SONGS):
            meant = shlex.join(["memegen", *({first: last, last: first}.get(word, word) for word in options.typed)])
            options.parser.error(f"The photo comes before the template. Did you mean `{meant}`?")
    if options.run is _batch and (_is_folder(last) or Path(last).suffix.lower() in (".jpg", ".jpeg", ".png")):
        options.parser.error(f"The last word, {last}, is a photo or a folder: add a template after it.")


def _is_folder(word: str) -> bool:
    with suppress(OSError, ValueError):  # a name that no file can have
        return Path(word).is_dir()
    return False


def _check_songs(song: str | dict[int, str], words: Mapping[str, Any]) -> list[str]:
    """Check the clip of a song or duet and what is sung, and return the word for each."""
    from memegen.singer.options import wished
    from memegen.templates import check_driving

    clips = [song] if isinstance(song, str) else list(song.values())
    for clip in clips:
        check_driving(clip, wished(words))
    return clips


def _ask_permission(options: argparse.Namespace, question: str | None = None) -> None:
    """Make sure that people agreed (remembered on this machine), and say what leaving out the label means."""
    from memegen.provenance import consent

    question = question or consent.QUESTION
    if options.i_have_permission:
        consent.remember(question)
    elif not consent.remembered(question):
        raise InputError(
            f"{question} If so, add --i-have-permission; it is remembered. RESPONSIBLE_USE.md has the rules."
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
    """Return the keywords for `make_meme`, checked; an option that was not given keeps its default."""
    from memegen.animator import check_engine
    from memegen.fomm.options import FommOptions
    from memegen.media.encoders import parse_size
    from memegen.meme import OPTIONS

    words = _given(options, OPTIONS)
    if "face" in words:
        face = words.pop("face")
        words |= {} if _duet(options) else {"face": _face(face)}
    cut, *_ = sort_options(words, *OPTIONS)
    parse_size(cut.max_size)
    foreign = [_flag(one.name, words[one.name]).split()[0] for one in options_of(FommOptions) if one.name in words]
    if options.engine == "mesh" and foreign:
        raise InputError(f"The engine mesh can't use {' or '.join(foreign)}: leave that out, or add --engine vox.")
    check_engine(options.engine)
    return words | {"engine": options.engine}


def _given(options: argparse.Namespace, kinds: Sequence[type[Any]]) -> dict[str, Any]:
    """Return the options of some dataclasses that were given, by their names."""
    return {one.name: getattr(options, one.name) for kind in kinds for one in options_of(kind) if one.name in options}


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
