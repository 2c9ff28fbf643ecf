"""swap(): the stages in order."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow

from memegen.base.devices import check_torch
from memegen.base.errors import InputError
from memegen.base.files import whole_file
from memegen.base.options import sort_options, takes_options
from memegen.base.progress import Progress, Stage
from memegen.look.options import Look
from memegen.media.destinations import Destination, destination_of, fill_in
from memegen.media.encoders import check_limit, check_transparent, parse_size, writing
from memegen.media.options import BOTH, TARGET, Cut, Sound
from memegen.media.subjects import open_subject, still_of
from memegen.media.video import Audio, Video, open_video, output_file
from memegen.meme import write_clip
from memegen.provenance.metadata import SWAP, SWAP_NUMBER, Marks
from memegen.swap.cues import measure, missing
from memegen.swap.faces import FaceSet, extract_faces
from memegen.swap.options import Swapping

if TYPE_CHECKING:
    from memegen.swap.swapper import Swapper
    from memegen.swap.training import TrainingState

OPTIONS = (Swapping, Cut, Look, Sound)
"""Every option of a swap; the command line reads these declarations too."""

_log = logging.getLogger(__name__)
PREVIEWS = 5.0  # seconds of training between two preview pictures


@takes_options(*OPTIONS)
def swap(
    faces: str | Path | Video | Sequence[str | Path | Video],
    body: str | Path | Video,
    *,
    out: str | Path | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Video:
    """Put one person's face onto another in a clip, with networks that are trained for it.

    Args:
        faces: Whose face: a clip, a folder or zip file of photos, or several of these; see `extract_faces`.
        body: The clip in which it is to be seen. It keeps its size, rate and sound.
        out: The file to write; its ending decides the kind, see `write_video`. A preview picture beside it is renewed
            during the training. None writes a temporary file that lives as long as the result: `save` it.
        checkpoint: The `.safetensors` file that keeps what was learned; training goes on from it if it exists. Beside
            `out` when None.
        progress: Called as `progress(stage, done, total)`, see `Progress`; the stage "Training" notes the errors.
        **options: See below.

    Returns:
        The clip: it plays in a notebook, and `save` keeps it.

    Raises:
        MemegenError: Something can't be used or done; the message says what, and what to do next.
    """
    check_torch("Face swaps", "swap")
    words = fill_in(options, Path(out or "").suffix)
    swapping, cut, look, sound = sort_options(words, *OPTIONS)
    place, clip = destination_of(words), _open_body(body, cut, progress)
    with ExitStack() as stack:
        inputs = [faces] if isinstance(faces, str | Path) else []
        path = output_file(out, stack, inputs=[*inputs, clip.path, cut.audio], suffix=place.suffix)
        check_limit(path, parse_size(cut.max_size), clip.duration)
        check_transparent(path, look.cutout)
        people = _both(faces, clip, swapping, progress)
        file = checkpoint or path.with_suffix(".safetensors")
        preview = path.with_name(f"{path.stem}-preview.png") if out else None
        swapper = _trained(people, swapping, file, preview, progress).swapper
        result = write_swap(path, swapper, clip, (look, cut, sound, place), onto=swapping.onto, progress=progress)
        weakref.finalize(result, stack.pop_all().close)
    return result


def write_swap(
    path: Path,
    swapper: Swapper,
    clip: Video,
    dress: tuple[Look, Cut, Sound, Destination],
    *,
    onto: int | None = None,
    progress: Progress | None = None,
) -> Video:
    """Put the face that was learned into a clip, and write that with its sound and its marks.

    Args:
        path: The file to write, checked.
        swapper: What was learned.
        clip: The body's clip.
        dress: As `write_clip` takes it.
        onto: Which person of the clip, see `swap_faces`.
        progress: Told how far it is.
    """
    from memegen.swap.conversion import swap_faces

    return write_clip(
        path,
        swap_faces(swapper, clip, onto=onto, progress=progress),
        dress=dress,
        photo=still_of(clip),
        driving=clip,
        lyrics=None,
        audio=_heard(clip, dress[1]),
        number=SWAP_NUMBER,
        marks=Marks(engine=SWAP, template="own clip", credit="a user's own clip", subject="video"),
    )


def _open_body(body: str | Path | Video, cut: Cut, progress: Progress | None) -> Video:
    """Open the part of the body's clip that is used."""
    if cut.from_sound:
        raise InputError("A swap follows the picture of BODY, not its sound: leave from_sound out.")
    clip = open_subject(body, progress)
    if not isinstance(clip, Video):
        raise InputError(f"{body} is a photo: the body of a swap has to be a video. A photo can give the face.")
    if cut.start is None and cut.duration is None:
        return clip
    return open_video(clip.path, start=clip.start if cut.start is None else cut.start, duration=cut.duration)


def _both(
    faces: str | Path | Video | Sequence[str | Path | Video], clip: Video, swapping: Swapping, progress: Progress | None
) -> tuple[FaceSet, FaceSet]:
    """Cut out the faces of both people."""
    found = []
    for source, number, name in ((faces, swapping.whose, "whose"), (clip, swapping.onto, "onto")):
        try:
            found.append(extract_faces(source, face=number, progress=progress))
        except InputError as error:
            if "face" in error.remedy:
                raise InputError(error.message, remedy={name: error.remedy["face"]}) from error
            raise
    if short := missing(*(measure(one.landmarks) for one in found)):
        _log.warning(
            "%s never shows, as far as %s does: %s. That will be blurred: give more pictures of it.",
            found[0].name,
            found[1].name,
            ", ".join(short),
        )
    return found[0], found[1]


def _trained(
    people: tuple[FaceSet, FaceSet],
    swapping: Swapping,
    file: str | Path,
    preview: Path | None,
    progress: Progress | None,
) -> TrainingState:
    """Train to the end, and renew the preview picture on the way."""
    from memegen.swap.training import train_swap

    total, shown = round(60 * swapping.minutes), -math.inf
    states = train_swap(*people, minutes=swapping.minutes, checkpoint=file, device=swapping.device)
    with closing(states):
        for state in states:
            done = min(int(state.swapper.seconds), total)
            if progress is not None:
                note = f"errors {state.losses[0]:.3f} and {state.losses[1]:.3f}" if state.swapper.step else ""
                progress(Stage("Training", "s", note), total if state.ended else done, total)
            if preview and (state.ended or done >= shown + PREVIEWS):
                shown = done
                _renew(preview, state)
    return state


def _renew(preview: Path, state: TrainingState) -> None:
    """Write the preview picture; the one before stays until it is complete."""
    with writing(preview), whole_file(preview) as part:
        Pillow.fromarray(state.preview()).save(part)


def _heard(clip: Video, cut: Cut) -> Audio | None:
    """Return where the sound comes from: the clip itself, unless another was chosen."""
    if cut.mute:
        return None
    own = clip if clip.has_audio else None
    return own if cut.audio in (None, TARGET, BOTH) else cut.audio
