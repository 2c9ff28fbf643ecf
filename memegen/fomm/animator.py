"""The First Order Motion Model as an engine: crops of the photo and of the clip in, a moving square out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError, NoFaceError
from memegen.base.progress import Progress
from memegen.face.casting import Driving, Role, cast_roles
from memegen.face.cropping import FaceBox, crop_face, points_box, whole_square
from memegen.face.detection import face_mesh
from memegen.face.landmarks68 import align_face
from memegen.face.options import Acting
from memegen.face.topology import POINTS, Landmarks
from memegen.fomm.driver import Analysis, analyse, find_best_frame, lengthened, transfer_of
from memegen.fomm.model import SIZE, FommModel
from memegen.fomm.options import FommOptions
from memegen.fomm.paste_back import PasteBack, part_mask, share_square
from memegen.fomm.target import change_target, refuse_several
from memegen.media.video import Video


class Part(NamedTuple):
    """One face's part in a clip.

    Attributes:
        analysis: Of the clip it sings.
        best: The number of the driving frame that is most like the photo.
        box: Its square in the photo, pixels.
        crop: The photo in that square, uint8 RGB (256, 256, 3).
        fps: The clip's frame rate.
        mask: (256, 256) float32, how much of the square follows; all of it when None.
    """

    analysis: Analysis
    best: int
    box: FaceBox
    crop: Image
    fps: float
    mask: Floats | None


@dataclass(frozen=True)
class FommAnimator:
    """Animates a square crop of the photo with a checkpoint's networks; see `animate`.

    Attributes:
        model: The networks.
        acting: Which faces move and how much; the framing "face" gives the square as the networks drew it, "photo" puts
            it back into the whole photo.
        options: How photo and clip are cropped and compared. A box as `crop` is for statues, drawings and animals, in
            which no detector finds a face.
        progress: Told how far the analysis of the driving clip is.
    """

    model: FommModel
    acting: Acting = Acting()
    options: FommOptions = FommOptions()
    progress: Progress | None = None

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.model.name

    def animate(self, photo: Image | Video, driving: Driving) -> Iterator[Image]:
        """Move one face of a photo, or several, as the faces in driving clips move.

        Args:
            photo: uint8 RGB (H, W, 3). Or a target video, see `change_target`.
            driving: The clip; what is found in it is kept in the cache folder for the next photo. Or, for a duet, each
                face's number and its own clip: a singer comes to rest when its clip ends before another's.

        Yields:
            uint8 RGB, one for each driving frame: (H, W, 3), or (256, 256, 3) when `framing` is "face".

        Raises:
            NoFaceError: The photo or the clip has no face, and `crop` is "face".
            InputError: There are fewer faces than `face` asks for, nothing of the photo is in the crop, the checkpoint
                is damaged, several faces are to be shown as one square, or the part can't follow alone.
        """
        if isinstance(photo, Video):
            yield from change_target(
                self.model, photo, driving, acting=self.acting, options=self.options, progress=self.progress
            )
            return
        self._check_crop(photo)
        roles = self._roles(photo, driving)
        refuse_several(len(roles), self.acting)
        parts = [self._part(photo, role) for role in roles]
        length = max(len(part.analysis.keypoints.value) for part in parts)
        if self.acting.framing == "face":
            yield from self._squares(parts[0], length)
            return
        pasted = [self._paste(photo, role, part) for role, part in zip(roles, parts, strict=True)]
        for squares in zip(*(self._squares(part, length) for part in parts), strict=True):
            picture = photo.copy()
            for paste, square in zip(pasted, squares, strict=True):
                paste.onto(picture, square)
            yield picture

    def _check_crop(self, photo: Image) -> None:
        """Refuse a box that shows nothing of the photo."""
        (height, width), box = photo.shape[:2], self.options.crop
        if not isinstance(box, FaceBox):
            return
        seen = box.clip(width, height)
        if not (seen.width >= 1 and seen.height >= 1):  # a comparison with NaN is false
            sides = ", ".join(f"{side:g}" for side in (box.left, box.top, box.right, box.bottom))
            raise InputError(
                f"The crop {sides} shows nothing of the photo, which is {width} x {height} pixels: "
                "give left, top, right and bottom within it."
            )

    def _roles(self, photo: Image, driving: Driving) -> list[Role | Video]:
        """Decide who sings what, from the back to the front; the clip alone where no face need be found."""
        single = isinstance(driving, Video) and self.acting.face != "all"
        needless = self.options.crop == "none" or (single and self.options.landmarks == "face-alignment")
        if isinstance(driving, Video) and needless:
            return [driving]
        if self.options.crop != "face" and not single:
            raise InputError("Only faces that are found can sing together: leave the crop out.")
        try:
            return [*cast_roles(photo, self.acting.face, driving)]
        except NoFaceError as error:
            if isinstance(self.options.crop, FaceBox) and isinstance(driving, Video):
                return [driving]
            raise _without_face(error) from error

    def _part(self, photo: Image, role: Role | Video) -> Part:
        """Make one face and its clip ready."""
        clip = role if isinstance(role, Video) else role.clip
        landmarks = self._photo_landmarks(photo, role)
        analysis = analyse(self.model, clip, self.options, self.progress)
        best = 0
        if self.options.best_frame and landmarks is not None and len(analysis.landmarks):
            best = find_best_frame(landmarks, analysis.landmarks)
        box = self._photo_box(photo, landmarks, analysis, best)
        if self.acting.framing == "photo":
            box = whole_square(box)  # whole pixels, so that the square can be put back where it was cut out
        crop = crop_face(photo, box, margin=0, side=SIZE)
        mask = self._mouth(landmarks, box) if self.acting.part == "mouth" else None
        return Part(analysis=analysis, best=best, box=box, crop=crop, fps=float(clip.fps), mask=mask)

    def _mouth(self, landmarks: Landmarks | None, box: FaceBox) -> Floats:
        """Return how much of the photo's square follows when only the mouth does."""
        if self.acting.framing == "face" or landmarks is None or len(landmarks) != POINTS:
            raise InputError(
                "The mouth can follow alone only in the whole photo, in a face that the mesh's landmarks find.",
                remedy={"part": "face"},
            )
        return part_mask(landmarks, box, "mouth", SIZE)

    def _squares(self, part: Part, length: int) -> Iterator[Image]:
        """Let the networks draw one face, as long as the longest clip."""
        driving = lengthened(part.analysis.keypoints, length, best=part.best, fps=part.fps)
        transfer = transfer_of(self.acting, self.options, self.acting.part or "head")
        return self.model.animate_keypoints(part.crop, driving, best_frame=part.best, **transfer)

    def _paste(self, photo: Image, role: Role | Video, part: Part) -> PasteBack:
        """Prepare to put one face's squares back, by what the networks make of the photo as it is."""
        still = next(self.model.animate_keypoints(part.crop, self.model.keypoints([part.crop]), relative=False))
        mask = part.mask
        if isinstance(role, Role) and role.others:
            own = share_square(part.box, role.face, role.others, SIZE)
            mask = own if mask is None else mask * own
        return PasteBack(photo, part.box, still, part=mask)

    def _photo_landmarks(self, photo: Image, role: Role | Video) -> Landmarks | None:
        """Find the landmarks of the face; None where there need be none."""
        if self.options.landmarks == "mesh":
            return face_mesh(photo, role.face) if isinstance(role, Role) else None
        if self.options.crop == "none":
            return None
        try:
            if isinstance(role, Video):
                return align_face(photo, None if self.acting.face == "all" else self.acting.face)
            # Of several faces, the largest in the picture around this one is this one.
            near = role.face.scaled(2.2).clip(photo.shape[1], photo.shape[0])
            left, top, right, bottom = (round(v) for v in (near.left, near.top, near.right, near.bottom))
            found = align_face(np.ascontiguousarray(photo[top:bottom, left:right]))
            return np.asarray(found + np.array([left, top], np.float32))
        except NoFaceError as error:
            if isinstance(self.options.crop, FaceBox):
                return None
            raise _without_face(error) from error

    def _photo_box(self, photo: Image, landmarks: Landmarks | None, analysis: Analysis, best: int) -> FaceBox:
        """Return the photo's square: the face has the same share of it as the driver's has at the best frame."""
        height, width = photo.shape[:2]
        if isinstance(self.options.crop, FaceBox):
            return self.options.crop.clip(width, height).square()
        if landmarks is None or not len(analysis.landmarks):
            return FaceBox(0, 0, width, height).inside(width, height)
        return points_box(landmarks).square((analysis.share(best) - 1) / 2)


def _without_face(error: NoFaceError) -> NoFaceError:
    return NoFaceError(f"{error} Give a drawing's or an animal's place as the crop.", remedy={"crop": "none"})
