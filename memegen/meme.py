"""make_meme(): the stages in order."""

from __future__ import annotations

import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from memegen.animator import Animator, load_animator
from memegen.images import read_image
from memegen.progress import Progress, counted
from memegen.templates import Template, resolve_driving
from memegen.video import Video, check_output, open_video, write_video

if TYPE_CHECKING:
    from memegen.images import Source


def make_meme(
    photo: Source,
    template: str | Path | Template = "daisy-bell",
    *,
    out: str | Path | None = None,
    engine: str | Path | Animator = "mesh",
    start: float | None = None,
    duration: float | None = None,
    face: int | None = None,
    audio: str | Path | None = None,
    mute: bool = False,
    expression: float = 1.0,
    motion: float = 1.0,
    progress: Progress | None = None,
) -> Video:
    """Make a photo sing.

    Args:
        photo: A path, an http(s) address, the bytes of a file, an array or a PIL image; see `read_image`.
        template: The driving clip: a template's name, or the path or address of any video.
        out: The file to write, .mp4; None writes a temporary one that lives as long as the result: `save` it.
        engine: A name or file for `load_animator`, or what it gave; then `face`, `expression` and `motion` are its own.
        start: Where to begin in the driving clip, seconds; None for the template's own start.
        duration: How much of it to use, seconds; None for all.
        face: Which face of the photo, counted from 0 at the left; the largest when None.
        audio: A sound or video file whose sound replaces the driving clip's.
        mute: Leave the sound out.
        expression: Gain of mouth, brows and eyes; 1 is the driver's own.
        motion: Gain of the head's movement; 1 is the driver's own.
        progress: Called as `progress(stage, done, total)` with frames.

    Returns:
        The clip: it plays in a notebook, and `save` keeps it.

    Raises:
        MemegenError: Something can't be used or done; the message says what, and what to do next.
    """
    picture = read_image(photo)
    clip = resolve_driving(template, progress=progress is not None)
    begin = clip.start if start is None else start
    if duration is None and clip.end is not None and begin < clip.end:
        duration = clip.end - begin
    driving = open_video(clip.local_path, start=begin, duration=duration)
    if clip.crop is not None:
        driving = driving.cropped(clip.crop)
    with ExitStack() as stack:
        if out is None:
            folder = tempfile.TemporaryDirectory(prefix="memegen-", ignore_cleanup_errors=True)
            out = Path(stack.enter_context(folder), "meme.mp4")
        path = check_output(
            out, inputs=[file for file in (photo, clip.local_path, audio) if isinstance(file, str | Path)]
        )
        if isinstance(engine, str | Path):
            engine = load_animator(engine, face=face, expression=expression, motion=motion, progress=progress)
        sung = engine.animate(picture, driving)
        frames = counted(sung, stage="Singing", total=driving.frame_count, progress=progress)
        meme = write_video(path, frames, fps=driving.fps, audio=None if mute else audio or driving)
        weakref.finalize(meme, stack.pop_all().close)
    return meme
