"""The First Order Motion Model as an engine: crops of the photo and of the clip in, a moving square out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError, NoFaceError
from memegen.base.progress import Progress
from memegen.face.casting import Driving, Role, cast_roles, eased, territory
from memegen.face.cropping import FaceBox, crop_face, middle_square, points_box, whole_square
from memegen.face.detection import face_mesh
from memegen.face.landmarks68 import align_clip, align_face
from memegen.face.options import Acting
from memegen.face.topology import Landmarks
from memegen.face.tracking import crop_video, track_face
from memegen.face.watching import DRIVING_SIDE, Arrays, read_clip, recall, watch
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.model import SIZE, FommModel
from memegen.fomm.options import FommOptions
from memegen.fomm.paste_back import PasteBack
from memegen.media.video import Video

MARGIN = 0.15  # room around the face's box over a whole clip, on each side; the photo's crop gets the same share


class Analysis(NamedTuple):
    """What an engine needs to know of a driving clip, kept in the cache so that the next photo starts at once.

    Attributes:
        keypoints: float32 keypoints of the N cropped frames.
        landmarks: (N, K, 2) float32, pixels; N = 0 where the clip was not searched for faces.
        box: The square crop, pixels of frames with a long side of 640.
    """

    keypoints: Keypoints[NDArray[np.float32]]
    landmarks: Floats
    box: FaceBox


class Part(NamedTuple):
    """One face's part in a clip.

    Attributes:
        analysis: Of what it sings.
        best: The driving frame that is most like the photo.
        box: Its square in the photo, pixels.
        fps: The clip's frame rate.
    """

    analysis: Analysis
    best: int
    box: FaceBox
    fps: float


@dataclass(frozen=True)
class FommAnimator:
    """Animates a square crop of the photo with a checkpoint's networks; see `animate`.

    Attributes:
        model: The networks.
        acting: Which faces move and how much; the framing "face" gives the square as the networks drew it, "photo" puts
            it back into the whole photo.
        options: How photo and clip are cropped and compared. A box as `crop` is for statues, drawings and animals, in
            which no detector finds a face.
        progress: Told how far the driver's analysis is.
    """

    model: FommModel
    acting: Acting = Acting()
    options: FommOptions = FommOptions()
    progress: Progress | None = None

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.model.name

    def animate(self, photo: Image, driving: Driving) -> Iterator[Image]:
        """Move one face of a photo, or several, as the faces in driving clips move.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; what is found in it is kept in the cache folder for the next photo. Or, for a duet, each
                face's number and its own clip: a singer comes to rest when its clip ends before another's.

        Yields:
            uint8 RGB, one for each driving frame: (H, W, 3), or (256, 256, 3) when `framing` is "face".

        Raises:
            NoFaceError: The photo or the clip has no face, and `crop` is "face".
            InputError: There are fewer faces than `face` asks for, nothing of the photo is in the crop, the checkpoint
                is damaged, or several faces are to be shown as one square.
        """
        self._check_crop(photo)
        roles = self._roles(photo, driving)
        if self.acting.framing == "face" and len(roles) > 1:
            raise InputError(f"{len(roles)} faces do not fit one square: choose the framing photo, or a single face.")
        parts = [self._part(photo, role) for role in roles]
        length = max(len(part.analysis.keypoints.value) for part in parts)
        if self.acting.framing == "face":
            yield from self._squares(photo, parts[0], length)
            return
        pasted = [self._paste(photo, role, part) for role, part in zip(roles, parts, strict=True)]
        for squares in zip(*(self._squares(photo, part, length) for part in parts), strict=True):
            picture = photo.copy()
            for paste, square in zip(pasted, squares, strict=True):
                paste.onto(picture, square)
            yield picture

    def _check_crop(self, photo: Image) -> None:
        """Refuse a box that shows nothing of the photo."""
        height, width = photo.shape[:2]
        if not isinstance(self.options.crop, FaceBox):
            return
        seen = self.options.crop.clip(width, height)
        if not (seen.width >= 1 and seen.height >= 1):
            corners = (self.options.crop.left, self.options.crop.top, self.options.crop.right, self.options.crop.bottom)
            sides = ", ".join(f"{side:g}" for side in corners)
            raise InputError(
                f"The crop {sides} shows nothing of the photo, which is {width} x {height} pixels: "
                "give left, top, right and bottom within it."
            )

    def _roles(self, photo: Image, driving: Driving) -> list[Role | Video]:
        """Who sings what, from the back to the front; the clip alone where no face need be found."""
        single = not isinstance(driving, Mapping) and self.acting.face != "all"
        if isinstance(driving, Video) and (
            self.options.crop == "none" or (single and self.options.landmarks == "face-alignment")
        ):
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
        analysis = self._analyse(clip)
        best = 0
        if self.options.best_frame and landmarks is not None and len(analysis.landmarks):
            best = find_best_frame(landmarks, analysis.landmarks)
        box = self._photo_box(photo, landmarks, analysis, best)
        return Part(analysis, best, box if self.acting.framing == "face" else whole_square(box), float(clip.fps))

    def _squares(self, photo: Image, part: Part, length: int) -> Iterator[Image]:
        """What the networks draw of one face, as long as the longest clip."""
        return self.model.animate_keypoints(
            crop_face(photo, part.box, margin=0, side=SIZE),
            _lengthened(part, length),
            relative=self.options.relative,
            best_frame=part.best,
            expression=self.acting.expression,
            motion=self.acting.motion,
        )

    def _paste(self, photo: Image, role: Role | Video, part: Part) -> PasteBack:
        """Prepare to put one face's squares back, by what the networks make of the photo as it is."""
        crop = crop_face(photo, part.box, margin=0, side=SIZE)
        still = next(self.model.animate_keypoints(crop, self.model.keypoints([crop]), relative=False))
        if isinstance(role, Video) or not role.others:
            return PasteBack(photo, part.box, still)
        size = photo.shape[1], photo.shape[0]
        return PasteBack(photo, part.box, still, part=territory(role.face, role.others, size))

    def _photo_landmarks(self, photo: Image, role: Role | Video) -> Landmarks | None:
        """Landmarks of the face, None where there need be none."""
        if isinstance(role, Role) and self.options.landmarks == "mesh":
            return face_mesh(photo, role.face)
        if self.options.crop == "none":
            return None
        try:
            if self.options.landmarks == "mesh":
                return None
            if isinstance(role, Video):
                return align_face(photo, None if self.acting.face == "all" else self.acting.face)
            near = role.face.scaled(2.2).clip(photo.shape[1], photo.shape[0])
            left, top, right, bottom = (round(v) for v in (near.left, near.top, near.right, near.bottom))
            found = align_face(np.ascontiguousarray(photo[top:bottom, left:right]))
            return np.asarray(found + np.array([left, top], np.float32))
        except NoFaceError as error:
            if isinstance(self.options.crop, FaceBox):
                return None
            raise _without_face(error) from error

    def _photo_box(self, photo: Image, landmarks: Landmarks | None, analysis: Analysis, best: int) -> FaceBox:
        """The photo's square: the face has the same share of it as the driver's has at the best frame."""
        if isinstance(self.options.crop, FaceBox):
            return self.options.crop.clip(photo.shape[1], photo.shape[0]).square()
        if landmarks is None or not len(analysis.landmarks):
            return middle_square(photo.shape[1], photo.shape[0])
        theirs = points_box(analysis.landmarks[best])
        share = analysis.box.width / max(theirs.width, theirs.height)
        return points_box(landmarks).square((share - 1) / 2)

    def _analyse(self, clip: Video) -> Analysis:
        """Follow the face, crop the clip and find its keypoints, all unless they are known."""
        landmarks, face = np.zeros((0, 0, 2), np.float32), None
        if self.options.crop != "none":
            track = watch(clip, self.progress, align_clip if self.options.landmarks == "face-alignment" else track_face)
            landmarks, face = np.stack([points[:, :2] for points in track.landmarks]), crop_video(track)
        how = "none" if face is None else self.options.landmarks
        found = recall(
            clip,
            *("keypoints", self.model.keypoints_key, how),
            names=("value", "jacobian", "box"),
            make=lambda: self._find_keypoints(clip, face),
        )
        return Analysis(Keypoints(found["value"], found["jacobian"]), landmarks, FaceBox(*found["box"].tolist()))

    def _find_keypoints(self, clip: Video, face: FaceBox | None) -> Arrays:
        """Find the keypoints of a clip's crops: around the face, which the box holds in every frame, or the middle."""
        with closing(clip.frames(max_side=DRIVING_SIDE)) as frames:
            height, width = next(frames).shape[:2]
        box = middle_square(width, height) if face is None else face.square(MARGIN).inside(width, height)
        with closing(read_clip(clip, "Reading the movement", self.progress)) as frames:
            value, jacobian = self.model.keypoints(crop_face(frame, box, margin=0, side=SIZE) for frame in frames)
        return {"value": value, "jacobian": jacobian, "box": np.array([box.left, box.top, box.right, box.bottom])}


def _lengthened(part: Part, length: int) -> Keypoints[NDArray[np.float32]]:
    """A clip's keypoints, and after its end a return to its best frame, up to a length in frames."""
    keypoints = part.analysis.keypoints
    late = np.arange(1, length - len(keypoints.value) + 1)
    left = np.array([eased(int(frame), part.fps) for frame in late], np.float32)

    def longer(values: NDArray[np.float32]) -> NDArray[np.float32]:
        rest, last = values[part.best], values[-1]
        end = rest + left.reshape(-1, *(1,) * rest.ndim) * (last - rest)
        return np.concatenate([values, end]).astype(np.float32)

    return Keypoints(*map(longer, keypoints)) if len(late) else keypoints


def _without_face(error: NoFaceError) -> NoFaceError:
    words = f"{error} For a drawing or an animal, say in a crop where it is."
    return NoFaceError(words, remedy={"crop": "none"})


def find_best_frame(landmarks: Landmarks, driving: Floats) -> int:
    """Find the driving frame whose pose and expression is nearest the photo's.

    Args:
        landmarks: (K, 2 or 3) of the photo, pixels.
        driving: (N, K, 2) of the clip, pixels.

    Returns:
        The frame's number, by the distance of the landmarks centred and scaled to one size.
    """
    wanted = _normalised(landmarks[None, :, :2])
    return int(((_normalised(driving) - wanted) ** 2).sum((1, 2)).argmin())


def _normalised(points: Floats) -> Floats:
    centred = points - points.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).sum((1, 2), keepdims=True)))
