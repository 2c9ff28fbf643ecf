"""The command line: memegen make, demo, templates and checkpoints."""

from __future__ import annotations

import argparse
import io
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from memegen import __version__
from memegen.errors import InputError, MemegenError

if TYPE_CHECKING:
    from memegen.animator import Animator
    from memegen.faces import FaceBox
    from memegen.progress import Progress

INTERRUPTED = 130  # what shells say after Ctrl-C


class _Parser(argparse.ArgumentParser):
    """Answers a wrong command with one line, as every other mistake."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"memegen: {message}. See {self.prog} --help.\n")
        sys.exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 after one plain line on stderr, 130 after Ctrl-C.

    Args:
        argv: The words after `memegen`; those of the process when None.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(format="memegen: %(message)s", level=logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal can't show is no failure
    try:
        options.run(options)
    except MemegenError as error:
        sys.stderr.write(f"memegen: {' '.join(line.strip() for line in str(error).splitlines())}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nmemegen: Stopped; nothing was written.\n")
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="memegen", description="One photo in, a singing meme out.")
    parser.add_argument("--version", action="version", version=f"memegen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="make a photo sing", description="Make a photo sing.")
    make.add_argument("photo", metavar="PHOTO", help="a picture with a face: a file or a web address")
    make.add_argument(
        "template",
        metavar="TEMPLATE",
        nargs="?",
        default="daisy-bell",
        help="what it sings: a name from `memegen templates`, or any video file or address; default: %(default)s",
    )
    make.add_argument("-o", "--out", metavar="OUT", type=Path, help="the clip to write; PHOTO-TEMPLATE.mp4 if left out")
    _add_options(make)
    make.set_defaults(run=_make)
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
    return parser


def _add_options(make: argparse.ArgumentParser) -> None:
    """Declare what `make_meme` can be told."""
    make.add_argument("--engine", choices=["mesh", "fomm"], default="mesh", help="default: %(default)s")
    make.add_argument("--start", metavar="SECONDS", type=float, help="where to begin in the driving clip")
    make.add_argument("--duration", metavar="SECONDS", type=float, help="how much of it to use")
    make.add_argument("--face", metavar="N", type=int, help="which face, counted from 0 at the left; else the largest")
    make.add_argument("--audio", metavar="FILE", help="use the sound of this file")
    make.add_argument("--mute", action="store_true", help="leave the sound out")
    make.add_argument("--expression", metavar="GAIN", type=float, default=1.0, help="stronger mouth and eyes: try 1.2")
    make.add_argument("--motion", metavar="GAIN", type=float, default=1.0, help="calmer head: try 0.8")
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
    out = options.out or Path(f"{Path(options.photo).stem}-{Path(options.template).stem}.mp4")
    words = ("start", "duration", "audio", "mute")
    _sing(options.photo, options.template, options, out=out, **{word: getattr(options, word) for word in words})


def _demo(options: argparse.Namespace) -> None:
    from memegen.downloads import asset

    _sing(asset("portrait.jpg"), "daisy-bell", None, out=options.out)


def _sing(photo: str | Path, template: str, engine: argparse.Namespace | None, *, out: Path, **words: Any) -> None:
    """Make the clip and say where it is."""
    from memegen.meme import make_meme
    from memegen.progress import ProgressBars

    begun = time.monotonic()
    with ProgressBars() as bars:
        animator = "mesh" if engine is None else _animator(engine, bars)
        meme = make_meme(photo, template, out=out, engine=animator, progress=bars, **words)
    sound = "with sound" if meme.has_audio else "without sound"
    took = time.monotonic() - begun
    sys.stdout.write(f"{out}: {meme.duration:.1f} s {sound}, {meme.width} x {meme.height}, made in {took:.1f} s\n")


def _animator(options: argparse.Namespace, progress: Progress) -> Animator:
    """Load the engine that the options ask for."""
    from memegen.animator import load_animator

    common = {"face": options.face, "expression": options.expression, "motion": options.motion, "progress": progress}
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
    from memegen.faces import FaceBox

    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"The crop {text!r} is not a box: give LEFT,TOP,RIGHT,BOTTOM in pixels.") from error
    if left >= right or top >= bottom:
        raise InputError(f"The crop {text} is empty: LEFT must be less than RIGHT, and TOP less than BOTTOM.")
    return FaceBox(left, top, right, bottom)


def _checkpoints(options: argparse.Namespace) -> None:
    from memegen.downloads import cache_dir
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
