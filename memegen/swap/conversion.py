"""The swap itself: what the body does, read by the encoder and drawn with the other face, is put back into the clip."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.progress import Progress, counted
from memegen.base.threads import in_parallel
from memegen.face.cropping import soft_mask, window
from memegen.face.pose import fit_pose, turned_aside
from memegen.face.topology import Landmarks
from memegen.media.video import Video
from memegen.swap.faces import ASIDE, alignment, crop_corners, cut_face, face_outline, watch_person
from memegen.swap.swapper import Swapper

BATCH = 8  # frames that the networks draw at once
SOFT = 0.05  # blur of the mask's edge, over the face's width
INWARDS = 0.045  # blur that moves the mask's edge inwards, over the crop's side
EDGE = 0.06  # of the crop's side, in which the mask fades at its border
LIGHT = 0.14  # how far colours around the face reach into it, over the crop's side
UNEVEN = 1.5  # how far that may go from the mean of the face
CRISP, DETAIL = 0.7, 0.012  # how much details are raised, and their size over the crop's side
CALM = 0.7  # how much of the light before is kept: landmarks tremble
STRANGE = 0.09, 0.09  # error from which something covers the face, and how much more until it surely does, 0 to 1
AROUND = 0.05  # blur of that error, over the crop's side
TURNING = 0.15  # radians in which the swap fades out on a face that turns away


class NewFace(NamedTuple):
    """The face that a frame of the body gets.

    Attributes:
        frame: uint8 RGB (H, W, 3).
        matrix: (2, 3), from the frame to the crop, pixels.
        face: (side, side, 3) float32 RGB, 0 to 255, what is put there.
        mask: (side, side) float32, how much of it is shown.
    """

    frame: Image
    matrix: Floats
    face: Floats
    mask: Floats


def swap_faces(
    swapper: Swapper, body: Video, *, onto: int | None = None, progress: Progress | None = None
) -> Generator[Image, None, None]:
    """Put person 0's face onto a person in a clip, with what that person does.

    Colours follow what surrounds the face. Hair, and what covers the face, stay the body's; where the face is turned
    away or covered as a whole, the swap fades out.

    Args:
        swapper: What a training has learned.
        body: The clip.
        onto: Which person of the clip, counted from 0 at the left; the largest face when None.
        progress: Told how far it is.

    Yields:
        uint8 RGB (H, W, 3), new arrays; nothing changes outside the face.

    Raises:
        NoFaceError: The clip shows no face.
        InputError: There are several people and none was chosen.
    """
    yield from in_parallel(paste_face, draw_faces(swapper, body, onto=onto, progress=progress))


def draw_faces(
    swapper: Swapper, body: Video, *, onto: int | None = None, progress: Progress | None = None
) -> Generator[NewFace, None, None]:
    """Draw what `swap_faces` puts into each frame; see there."""
    track, visible = watch_person(body, onto, progress)
    aside = np.array([(abs(turned_aside(fit_pose(one))) - ASIDE).max() for one in track.landmarks])
    visible = visible * (1 - smoothstep(1 + aside / TURNING))
    with closing(counted(body.frames(), stage="Swapping", total=body.frame_count, progress=progress)) as frames:
        yield from _draw(swapper, frames, [*track.landmarks], visible)


def _draw(
    swapper: Swapper, frames: Iterator[Image], landmarks: Sequence[Landmarks], visible: Floats
) -> Iterator[NewFace]:
    """Draw the faces of all frames, some at a time."""
    side, done, light = swapper.side, 0, None
    while group := [*islice(frames, BATCH)]:
        points = landmarks[done : done + len(group)]
        matrices = [alignment(one, side, 0.0) for one in points]
        crops = np.stack([cut_face(frame, matrix, side) for frame, matrix in zip(group, matrices, strict=True)])
        codes = swapper.encode(crops)
        faces, own = swapper.draw(codes, 0), swapper.draw(codes, 1)
        drawn, masks = faces[..., :3], faces[..., 3] * np.float32(1 / 255) * own[..., 3] * np.float32(1 / 255)
        for number, (frame, matrix, crop) in enumerate(zip(group, matrices, crops, strict=True)):
            mask = _mask(points[number][:, :2] @ matrix[:, :2].T + matrix[:, 2], side)
            mask *= masks[number]
            free = _uncovered(crop, own[number, ..., :3], mask)
            now = _light(crop, drawn[number], _inwards(mask), free)
            light = now if light is None else CALM * light + (1 - CALM) * now
            shown = _inwards(mask * free) * np.float32(visible[done + number])
            yield NewFace(frame, matrix, _crisp(drawn[number]) * light, shown)
        done += len(group)


def _mask(points: Floats, side: int) -> Floats:
    """Draw which part of a face is swapped: (side, side) float32.

    Args:
        points: (478, 2) landmarks, pixels of the crop.
        side: Of the crop.
    """
    outline = face_outline(points)
    mask = soft_mask(outline, (side, side), SOFT * float(np.ptp(outline[:, 0])))
    # An open mouth may take the chin out of the crop: the mask ends before its border.
    place = (np.arange(side) + 0.5) / side
    inside = smoothstep(np.minimum(place, 1 - place) / EDGE).astype(np.float32)
    return np.asarray(mask * np.outer(inside, inside))


def _inwards(mask: Floats) -> Floats:
    """Move the edge of a mask inwards and soften it: shadows of the hair around a face stay out."""
    blurred = cv2.GaussianBlur(mask, (0, 0), INWARDS * len(mask))
    return np.asarray(smoothstep(2 * blurred - 1), np.float32)


def _uncovered(crop: Image, own: Image, mask: Floats) -> Floats:
    """Return where nothing covers a face: (side, side) float32.

    The networks know the body's own face. What its own decoder can't draw again lies in front of it.
    """
    error = cv2.absdiff(crop, own).mean(2).astype(np.float32) / 255
    error = cv2.GaussianBlur(error, (0, 0), AROUND * len(crop))
    usual = float(np.median(error[mask > 0.5])) if (mask > 0.5).any() else 0.0
    return np.asarray(1 - smoothstep((error - usual - STRANGE[0]) / STRANGE[1]), np.float32)


def _crisp(drawn: Image) -> Floats:
    """Sharpen a drawn face, float32: networks that learned for minutes leave details faint."""
    blurred = cv2.GaussianBlur(drawn, (0, 0), DETAIL * len(drawn))
    return np.asarray(cv2.addWeighted(drawn, 1 + CRISP, blurred, -CRISP, 0, dtype=cv2.CV_32F))


def _light(crop: Image, drawn: Image, mask: Floats, free: Floats) -> Floats:
    """Return by how much the colours of a drawn face are multiplied to stand in the body's light: (side, side, 3)."""
    # Light and shade are broad: the ratio of two blurs carries them over, and leaves the features as they were drawn.
    weight = (mask * free + 1e-4)[..., None]
    pictures = crop + np.float32(2), drawn + np.float32(2)  # no division by zero
    wanted, given = (cv2.GaussianBlur(weight * one, (0, 0), LIGHT * len(crop)) for one in pictures)
    mean = np.divide(*((weight * one).sum((0, 1)) for one in pictures))
    return np.asarray(np.clip(wanted / given, mean / UNEVEN, mean * UNEVEN))


def paste_face(new: NewFace) -> Image:
    """Put a face into a copy of its frame, uint8 RGB (H, W, 3)."""
    picture = new.frame.copy()
    part, back = _place(new)
    patch = picture[part]
    if patch.size:
        size = patch.shape[1::-1]
        face = cv2.warpAffine(new.face, back, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        mask = cv2.warpAffine(new.mask, back, size, flags=cv2.INTER_LINEAR)[..., None]
        patch[:] = np.clip(patch + mask * (face - patch) + 0.5, 0, 255).astype(np.uint8)
    return picture


def mask_in_frame(new: NewFace) -> Floats:
    """Return how much of a frame is replaced: (H, W) float32, 0 where nothing changes."""
    mask = np.zeros(new.frame.shape[:2], np.float32)
    part, back = _place(new)
    if mask[part].size:
        mask[part] = cv2.warpAffine(new.mask, back, mask[part].shape[1::-1], flags=cv2.INTER_LINEAR)
    return mask


def _place(new: NewFace) -> tuple[tuple[slice, slice], Floats]:
    """Return the part of the frame that a crop covers, and the matrix (2, 3) from the crop to that part."""
    part, back = window(crop_corners(new.matrix, len(new.mask)), 1, new.frame), cv2.invertAffineTransform(new.matrix)
    back[:, 2] -= part[1].start, part[0].start
    return part, back
