"""Who sings what: the faces of a photo, and the clip that each of them follows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image, smoothstep
from memegen.base.errors import InputError
from memegen.face.cropping import FaceBox
from memegen.face.detection import LEAST, detect_faces, pick_face, shows_face
from memegen.face.options import Which
from memegen.media.video import Video

Driving = Video | Mapping[int, Video]
"""One clip for whoever sings, or a duet: face number in the photo, and that face's own clip."""

BORDER = 0.25  # how soft the border between two people is, in face sizes
TINY = 48.0  # width in pixels of a face below which we warn
EASE = 0.6  # seconds in which a singer whose clip has ended comes to rest

log = logging.getLogger(__name__)


class Role(NamedTuple):
    """One face of a photo and the clip it sings.

    Attributes:
        number: Which face, counted from 0 at the left.
        face: Where it is.
        others: The other faces of the photo, singing or not.
        clip: Its driver. All clips of a cast have one frame rate.
    """

    number: int
    face: FaceBox
    others: list[FaceBox]
    clip: Video


def cast_roles(photo: Image, which: Which, driving: Driving) -> list[Role]:
    """Decide who sings what.

    Args:
        photo: uint8 RGB (H, W, 3).
        which: The face or faces to move; None for a duet.
        driving: The clip, or each face's own. A duet runs at the rate of the first clip.

    Returns:
        One role for each face that moves, from the back to the front: smaller faces are farther away.

    Raises:
        NoFaceError: The photo has no face.
        InputError: It has fewer faces than asked for, or `which` and a duet contradict each other.
    """
    faces = detect_faces(photo)
    parts: dict[Any, Video] = dict(driving) if isinstance(driving, Mapping) else {which: driving}
    if isinstance(driving, Mapping) and which is not None:
        raise InputError("A duet already says which face sings which clip: leave the face out.")
    if not parts:
        raise InputError("The duet is empty: give at least one face its clip.")
    fps = next(iter(parts.values())).fps
    clips = {n: replace(clip, fps=fps) for one, clip in parts.items() for n in choose_among(photo, faces, one)}
    roles = [Role(n, faces[n], [*faces[:n], *faces[n + 1 :]], clip) for n, clip in sorted(clips.items())]
    tiny = min(role.face.width for role in roles)
    if tiny < TINY:
        log.warning("The face is only %.0f pixels wide: a photo that shows it larger makes a clearer meme.", tiny)
    return sorted(roles, key=lambda role: role.face.width * role.face.height)


def eased(late: int, fps: float) -> float:
    """Return how much of the last movement is left some frames after a clip's end: from 1 to 0 in EASE seconds."""
    return 1 - float(smoothstep(late / (EASE * fps)))


def choose_among(image: Image, faces: Sequence[FaceBox], which: Which) -> list[int]:
    """Pick the faces that are to move: one, or all that look like faces to the landmark network too.

    Where several are found, "all" leaves out those narrower than 10 pixels and those that the landmark network does not
    take for a face: prints on shirts, patterns, heads seen from behind. They keep their numbers.

    Args:
        image: uint8 RGB (H, W, 3).
        faces: As `detect_faces` gives them.
        which: See `Which`.

    Returns:
        Numbers into `faces`, ascending.

    Raises:
        NoFaceError: There is no face.
        InputError: There are fewer faces than `which` asks for.
    """
    if which != "all":
        return [faces.index(pick_face(faces, which))]
    largest = faces.index(pick_face(faces))
    if len(faces) == 1:
        return [largest]
    wide = [number for number, face in enumerate(faces) if face.width >= LEAST]
    return [number for number in wide if shows_face(image, faces[number])] or [largest]


def territory(
    box: FaceBox, others: Sequence[FaceBox], size: tuple[int, int], *, corner: tuple[float, float] = (0, 0)
) -> NDArray[np.float32]:
    """Share a picture between people: to whom a pixel belongs, by the distance to their faces over the faces' sizes.

    Args:
        box: The face whose part is asked for.
        others: The other faces.
        size: Width and height of the result, pixels.
        corner: Where its left top lies, pixels of the picture.

    Returns:
        (height, width) float32: 1 in the face's part, 0 in that of others, a soft border between.
    """
    width, height = size
    # The border is soft: every fourth pixel is enough, at the middle of its block of 4 x 4.
    part = np.ones((-(-height // 4), -(-width // 4)), np.float32)
    y, x = (4.0 * axis + 1.5 for axis in np.mgrid[: part.shape[0], : part.shape[1]])

    def distance(face: FaceBox) -> NDArray[np.float64]:
        across, down = face.centre
        return np.asarray(np.hypot(x + corner[0] - across, y + corner[1] - down) / max(face.width, face.height))

    own = distance(box)
    for other in others:
        part = np.minimum(part, np.clip((distance(other) - own) / BORDER + 0.5, 0, 1)).astype(np.float32)
    full = cv2.resize(part, (part.shape[1] * 4, part.shape[0] * 4), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[:height, :width])
