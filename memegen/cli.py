"""The command line: memegen make, demo and templates."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from memegen import __version__
from memegen.errors import MemegenError

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
    try:
        options.run(options)
    except MemegenError as error:
        sys.stderr.write(f"memegen: {error}\n")
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
    return parser


def _add_options(make: argparse.ArgumentParser) -> None:
    """Declare what `make_meme` can be told."""
    make.add_argument("--engine", default="mesh", help="mesh: nothing to download, no GPU (default)")
    make.add_argument("--start", metavar="SECONDS", type=float, help="where to begin in the driving clip")
    make.add_argument("--duration", metavar="SECONDS", type=float, help="how much of it to use")
    make.add_argument("--face", metavar="N", type=int, help="which face, counted from 0 at the left; else the largest")
    make.add_argument("--audio", metavar="FILE", help="use the sound of this file")
    make.add_argument("--mute", action="store_true", help="leave the sound out")
    make.add_argument("--expression", metavar="GAIN", type=float, default=1.0, help="stronger mouth and eyes: try 1.2")
    make.add_argument("--motion", metavar="GAIN", type=float, default=1.0, help="calmer head: try 0.8")


def _make(options: argparse.Namespace) -> None:
    words = vars(options).copy()
    del words["run"]
    out = words.pop("out") or Path(f"{Path(options.photo).stem}-{Path(options.template).stem}.mp4")
    _sing(words.pop("photo"), words.pop("template"), out=out, **words)


def _demo(options: argparse.Namespace) -> None:
    from memegen.downloads import asset

    _sing(asset("portrait.jpg"), "daisy-bell", out=options.out)


def _sing(photo: str | Path, template: str, *, out: Path, **options: object) -> None:
    """Make the clip and say where it is."""
    from memegen.meme import make_meme
    from memegen.progress import ProgressBars

    begun = time.monotonic()
    with ProgressBars() as bars:
        meme = make_meme(photo, template, out=out, progress=bars, **options)  # type: ignore[arg-type]
    sound = "with sound" if meme.has_audio else "without sound"
    took = time.monotonic() - begun
    sys.stdout.write(f"{out}: {meme.duration:.1f} s {sound}, {meme.width} x {meme.height}, made in {took:.1f} s\n")


def _templates(options: argparse.Namespace) -> None:
    from memegen.templates import TEMPLATES

    for template in TEMPLATES:
        where = "bundled" if template.bundled else "fetched at first use"
        sys.stdout.write(
            f"{template.name} ({where})\n    {template.title}. {template.credit}\n    {template.licence}\n"
        )
