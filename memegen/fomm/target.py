"""A face in another video sings, drawn by the networks: each frame of that video is the source of its own frame.

A square follows the face. What the networks draw in it is pasted back into the frame it was cut from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError
from memegen.base.progress import Progress
from memegen.base.threads import in_parallel
from memegen.face.casting import Driving
from memegen.face.cropping import FaceBox, crop_face, points_box, whole_square
from memegen.face.options import Acting, Region
from memegen.face.targets import TargetPlan, TargetTrack, how_visible, plan_target
from memegen.fomm.driver import analyse, find_best_frame, lengthened, transfer_of
from memegen.fomm.keypoints import Keypoints, Transfer
from memegen.fomm.model import SIZE, FommModel
from memegen.fomm.options import FommOptions
from memegen.fomm.paste_back import PasteBack, part_mask, share_square
from memegen.media.playing import play
from memegen.media.video import Video

STEADY = 0.2  # seconds over which the square's place and size are averaged: it follows a head, and no syllables
WHOLE = FaceBox(0, 0, SIZE, SIZE)  # the square in its own pixels


class MovingFace(NamedTuple):
    """One face of a target, ready to follow its clip.

    Attributes:
        driving: Keypoints of the clip, for as many frames as the result has.
        initial: Those that movements are counted from, N = 1.
        track: Where the face is, N frames of the target.
        boxes: Its square in each of them, pixels.
        visible: (N,) how much of the change is shown in each.
    """

    driving: Keypoints[Floats]
    initial: Keypoints[Floats]
    track: TargetTrack
    boxes: list[FaceBox]
    visible: Floats


class Patch(NamedTuple):
    """One face of one frame, as drawn.

    Attributes:
        box: Its square, whole pixels of the frame.
        square: uint8 RGB (256, 256, 3), what the networks drew.
        still: The same without the driver's movement.
        mask: (256, 256) float32, how much of it is shown.
    """

    box: FaceBox
    square: Image
    still: Image
    mask: Floats


def change_target(
    model: FommModel,
    target: Video,
    driving: Driving,
    *,
    acting: Acting,
    options: FommOptions,
    progress: Progress | None = None,
) -> Iterator[Image]:
    """Move one face of a target video, or several, as the faces in driving clips move.

    The target's own expression stays, and the driver's movement is added to it, as the authors' `relative` does.

    Args:
        model: The networks.
        target: The video.
        driving: The clip, or each face's own.
        acting: Which faces follow and how much; the part "head" alone lets the head follow. The framing "face" shows a
            square that follows the face.
        options: How motion is counted. Faces are found by the mesh's landmarks only.
        progress: Told how far target and clip have been watched.

    Yields:
        uint8 RGB (H, W, 3) at the target's rate, or (256, 256, 3) when `framing` is "face".

    Raises:
        NoFaceError: The target or the clip has no face.
        InputError: There are fewer faces than asked for, several are to be shown as one square, or an option does not
            fit a video.
    """
    part: Region = acting.part or "face"
    # Both squares show the face in the same size: shifts need no scale, which would tremble from frame to frame.
    transfer = transfer_of(acting, options, part) | Transfer(scale=1.0)
    if options.crop != "face" or options.landmarks != "mesh":
        raise InputError("In a video the mesh's landmarks find the face: leave the crop and other landmarks out.")
    plan = plan_target(target, driving, acting, progress)
    refuse_several(len(plan.clips), acting)
    faces = [_prepare(model, plan, one, acting, options, progress) for one in plan.clips]

    def finish(job: tuple[Image, list[Patch]]) -> Image:
        return pasted(*job)

    played = play(plan.target, plan.length, loop=acting.ending == "loop")
    groups = iter(lambda: list(islice(played, model.compute.batch)), [])
    yield from in_parallel(finish, _draw(model, groups, faces, acting.framing == "face", part, transfer))


def refuse_several(count: int, acting: Acting) -> None:
    """Raise InputError if several faces are to be shown as one square."""
    if acting.framing == "face" and count > 1:
        raise InputError(f"{count} faces do not fit one square: choose the framing photo, or a single face.")


def _prepare(
    model: FommModel, plan: TargetPlan, number: int, acting: Acting, options: FommOptions, progress: Progress | None
) -> MovingFace:
    """Make one face and its clip ready."""
    track, clip, rate = plan.targets.tracks[number], plan.clips[number], float(plan.target.fps)
    analysis = analyse(model, clip, options, progress)
    # One best frame for the whole target, so that nothing jumps: the one most like the target's mean look
    mean = track.landmarks[track.found > 0].mean(0)
    best = find_best_frame(mean, analysis.landmarks) if options.best_frame else 0
    boxes = steady_squares(track, plan, analysis.share(best))
    return MovingFace(
        driving=lengthened(analysis.keypoints, plan.length, best=best, fps=rate),
        initial=Keypoints(*(values[best : best + 1] for values in analysis.keypoints)),
        track=track,
        # Whole pixels, so that a square can be put back where it was cut out
        boxes=boxes if acting.framing == "face" else [whole_square(box) for box in boxes],
        visible=how_visible(track, plan.spans, rate),
    )


def steady_squares(track: TargetTrack, plan: TargetPlan, share: float) -> list[FaceBox]:
    """Return a square around a face for each frame; in shots without the face, the middle of the picture.

    Args:
        track: Of the face.
        plan: The target's shots, size and rate.
        share: The square's side over the longer side of the face.
    """
    target, boxes = plan.target, list[FaceBox]()
    for first, end in plan.spans:
        points = track.landmarks[first:end, :, :2]
        if not points.any():
            boxes += [FaceBox(0, 0, target.width, target.height).inside(target.width, target.height)] * (end - first)
            continue
        low, high = points.min(1), points.max(1)
        path = np.column_stack([(low + high) / 2, (high - low).max(1) * share / 2]).astype(np.float64)
        # A Gaussian over time has no lag. Landmarks tremble and chins go down: the square should do neither.
        sigma = STEADY * float(target.fps)
        reach = 2 * min(round(3 * sigma), len(path) - 1) + 1
        path = cv2.GaussianBlur(path, (1, reach), sigmaX=1, sigmaY=sigma, borderType=cv2.BORDER_REFLECT_101)
        boxes += [FaceBox(x - half, y - half, x + half, y + half) for x, y, half in path.tolist()]
    return boxes


def _draw(
    model: FommModel,
    groups: Iterator[list[tuple[int, Image]]],
    faces: Sequence[MovingFace],
    alone: bool,
    part: Region,
    transfer: Transfer,
) -> Iterator[tuple[Image, list[Patch]]]:
    """Let the networks draw all faces, a group of frames at a time, each with the frames' numbers in the target.

    Yields:
        A frame, or its square if that is to be shown `alone`, and what is to be pasted into it.
    """
    done = 0
    for group in groups:
        patches: list[list[Patch]] = [[] for _ in group]
        for face in faces:
            shown = [place for place, (number, _) in enumerate(group) if face.visible[number] > 0]
            numbers, frames = [group[place][0] for place in shown], [group[place][1] for place in shown]
            moves = Keypoints(*(values[[done + place for place in shown]] for values in face.driving))
            crops = [_square(frame, face, number) for number, frame in zip(numbers, frames, strict=True)]
            drawn = model.reenact(crops, moves, initial=face.initial, **transfer)
            for place, number, (square, still) in zip(shown, numbers, drawn, strict=True):
                box = WHOLE if alone else face.boxes[number]
                patches[place].append(Patch(box, square, still, _mask(face, number, faces, part)))
        for (number, frame), some in zip(group, patches, strict=True):
            yield _square(frame, faces[0], number) if alone else frame, some
        done += len(group)


def _square(frame: Image, face: MovingFace, number: int) -> Image:
    return crop_face(frame, face.boxes[number], margin=0, side=SIZE)


def _mask(face: MovingFace, number: int, faces: Sequence[MovingFace], part: Region) -> Floats:
    """Return how much of a face's square is shown in a frame of the target."""
    box, landmarks = face.boxes[number], face.track.landmarks[number]
    mask = part_mask(landmarks, box, part, SIZE) * np.float32(face.visible[number])
    there = [other.track.landmarks[number] for other in faces if other is not face and other.visible[number] > 0]
    if there:
        mask *= share_square(box, points_box(landmarks), [points_box(points) for points in there], SIZE)
    return mask


def pasted(frame: Image, patches: Sequence[Patch]) -> Image:
    """Paste faces into a copy of a frame, uint8 RGB (H, W, 3), from the back to the front: small ones are far away."""
    picture = frame.copy()
    for patch in sorted(patches, key=lambda one: one.box.width):
        PasteBack(frame, patch.box, patch.still, part=patch.mask).onto(picture, patch.square)
    return picture
