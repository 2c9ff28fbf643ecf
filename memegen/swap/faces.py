"""Faces for a swap: cut out of clips and photos, eyes on eyes, without those that would spoil the training."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.errors import InputError, MemegenError
from memegen.base.files import expanded, is_address
from memegen.base.progress import Progress, Stage, counted
from memegen.base.threads import in_parallel
from memegen.face.cropping import soft_mask, window
from memegen.face.detection import detect_faces, mesh_near, pick_face, refine_eyes
from memegen.face.pose import fit_pose, turned_aside
from memegen.face.targets import TargetTrack, first_faces, how_visible, watch_targets
from memegen.face.topology import BONE, FACE_OVAL, LEFT_EYE, RIGHT_EYE, Landmarks, eye_distance, face_model
from memegen.media.images import PHOTO_SUFFIXES, PhotoSource, photos_in, read_image
from memegen.media.subjects import open_subject
from memegen.media.video import Video

SIDE = 160  # pixels of a crop
MARGIN = 0.1  # of it on each side, into which a crop is shifted and bent while the networks learn
SHOWN = (-1.0, -0.55), (1.0, 1.45)  # corners of what lies between the margins, in the mean shape's axes
LEAST, MOST = 20, 2000  # faces that are needed, and that are used

ASIDE = np.array([0.7, 0.6])  # the largest yaw and pitch, radians
SMALL = 20.0  # least distance between the eyes, pixels
CHEEKS = [50, 280, 205, 425, 197, 118, 347]  # around bare skin
# Around brows, eyes, mouth and the beard of a chin: there, what is no skin is no hair of the head.
FEATURES = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 33, 263, 61, 291, 150, 149, 152, 378, 379]
BLURRED = 0.25  # least sharpness, over the usual one of the same source
DOUBLED = 3.0  # grey levels by which some part of two faces must differ
PARTS = 32  # how many parts that are, along each side
RIVAL = 0.5  # size of a second face, over the largest, from which one has to be chosen
LARGEST_PHOTO = 2**26  # bytes of a photo in a zip file
LARGEST_SIDE = 1280  # pixels of a photo that is searched
SOFT = 0.02  # blur of a mask's edge, over the crop's side
FOREHEAD = 0.85  # how much of the way from the eyes to the hairline is swapped: hair stays the body's
LIGHTNESS = np.array([0.6, 1, 1], np.float32)  # how much shades count beside colours, where skin is told from hair
HAIR = 3.0, 2.0  # how far colours of hair are from the skin's, over what is usual in the skin, and until it surely is
INSET = 0.94  # size of what is swapped, over that of the face
STAGE = "Cutting out faces"


@dataclass(frozen=True, repr=False)
class FaceSet:
    """Faces of one person, all in the same place.

    Attributes:
        name: Where they are from.
        crops: (N, 160, 160, 3) uint8 RGB.
        landmarks: (N, 478, 3) float32, pixels of the crops, depth in the same unit.
        left_out: How many were left out, by the reason.
    """

    name: str
    crops: NDArray[np.uint8]
    landmarks: Floats
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.crops)

    def __repr__(self) -> str:
        left = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        return f"{len(self)} faces from {self.name}" + (f"; left out: {left}." if left else ".")

    def some(self, chosen: NDArray[np.integer] | slice) -> FaceSet:
        """Return some of the faces, chosen as numpy's arrays choose."""
        return replace(self, crops=self.crops[chosen], landmarks=self.landmarks[chosen])

    def few(self, count: int) -> FaceSet:
        """Return at most `count` of them, evenly spaced."""
        return self.some(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int))

    @property
    def key(self) -> str:
        """What tells these faces from others."""
        return sha256(np.ascontiguousarray(self.crops).data).hexdigest()[:32]

    def inner(self, side: int) -> Image:
        """Return what lies between the margins, (N, side, side, 3) uint8 RGB: what the networks see."""
        edge = round(MARGIN * SIDE)
        parts = self.crops[:, edge : SIDE - edge, edge : SIDE - edge]
        return np.stack([cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA) for part in parts])

    def mask(self, number: int) -> Floats:
        """Draw what is swapped of a face: (160, 160) float32, 1 inside, with a soft edge; hair is left out."""
        return _skin(self.crops[number], self.landmarks[number, :, :2])

    def masks(self) -> Floats:
        """Draw what is swapped of each, (N, 160, 160) float32; see `mask`."""
        return np.stack([self.mask(number) for number in range(len(self))])


class _Find(NamedTuple):
    """A face that was found in a picture."""

    picture: Image
    landmarks: Landmarks


class _Cut(NamedTuple):
    """A face that was cut out, with its landmarks in pixels of the crop."""

    crop: Image
    landmarks: Landmarks


def extract_faces(
    source: str | Path | Video | Sequence[str | Path | Video],
    *,
    face: int | None = None,
    progress: Progress | None = None,
) -> FaceSet:
    """Cut one person's faces out of clips and photos.

    Left out are faces that are turned away, small, blurred, covered or doubled. Of very many, evenly spaced ones are
    used.

    Args:
        source: A clip, a folder of photos, a zip file of photos, a photo, or several of these.
        face: Which person of a clip, counted from 0 at the left; the largest face when None. Photos have to show one
            person: their largest face is used.
        progress: Told how far it is.

    Raises:
        InputError: Something can't be read, too few faces are left, or a clip shows several people and none was chosen.
        NoFaceError: A clip shows no face.
    """
    sources = [source] if isinstance(source, str | Path | Video) else [*source]
    left_out: Counter[str] = Counter()
    cuts = _undoubled([cut for one in sources for cut in _part(one, face, left_out, progress)], left_out)
    left = {why: count for why, count in left_out.items() if count}
    name = " and ".join(_name_of(one) for one in sources)
    if len(cuts) < LEAST:
        listed = "".join(f", {count} {why}" for why, count in left.items())
        raise InputError(
            f"{name or 'Nothing'} has too few usable faces: {len(cuts)}{listed}. A swap needs at least {LEAST} "
            "different ones: give a longer clip, or more photos, in which one person is well lit and looks towards "
            "the camera."
        )
    return FaceSet(name, np.stack([cut.crop for cut in cuts]), np.stack([cut.landmarks for cut in cuts]), left)


def alignment(landmarks: Floats, side: int = SIDE, margin: float = MARGIN) -> Floats:
    """Return the similarity (2, 3) that takes a face of a picture to its place in a crop, both in pixels.

    It is fitted to the bony points (least squares, Umeyama 1991): a mouth that opens does not move the crop.

    Args:
        landmarks: (478, 2 or 3) pixels.
        side: Of the crop, pixels.
        margin: Around what is shown, as a part of the side.
    """
    (left, top), (right, _) = SHOWN
    wanted = (face_model().mean_shape[BONE, :2] - [left, top]) * (side * (1 - 2 * margin) / (right - left))
    wanted, points = wanted + side * margin, landmarks[BONE, :2].astype(np.float64)
    # A turn and a growth are one complex factor: that of least squares is a single quotient.
    target, origin = ((one - one.mean(0)) @ [1, 1j] for one in (wanted, points))
    factor = np.vdot(origin, target) / np.vdot(origin, origin).real
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, wanted.mean(0) - turn @ points.mean(0)])


def cut_face(picture: Image, matrix: Floats, side: int = SIDE) -> Image:
    """Cut a face out of a picture by the matrix of `alignment`: uint8 RGB (side, side, 3)."""
    scale = float(np.hypot(*matrix[0, :2]))
    if scale < 1:  # without a blur the few pixels that are read would be noise
        part = window(crop_corners(matrix, side), 2 / scale, picture)
        corner = np.array([part[1].start, part[0].start])
        picture = cv2.GaussianBlur(picture[part], (0, 0), 0.4 / scale)
        matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ corner])
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _skin(crop: Image, points: Floats) -> Floats:
    """Draw the outline of a face without the hair that hangs into it: (160, 160) float32."""
    size, blur = (SIDE, SIDE), SOFT * SIDE
    colours = cv2.cvtColor(cv2.GaussianBlur(crop, (0, 0), 1), cv2.COLOR_RGB2Lab).astype(np.float32)
    middle = soft_mask(cv2.convexHull(points[CHEEKS].astype(np.float32))[:, 0], size, 1.0) > 0.5
    tone = np.median(colours[middle], axis=0)
    away = np.linalg.norm((colours - tone) * LIGHTNESS, axis=2)
    usual = float(np.median(away[middle]))
    # Eyes, brows and lips are no skin either, but belong to the face: colours count only outside of them.
    inner = soft_mask(cv2.convexHull(points[FEATURES].astype(np.float32))[:, 0], size, blur)
    hair = smoothstep((away - HAIR[0] * usual) / (HAIR[1] * usual)) * (1 - inner)
    mask = soft_mask(face_outline(points), size, blur) * (1 - hair)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur / 2))


def crop_corners(matrix: Floats, side: int) -> Floats:
    """Return where the corners of a crop lie in the picture, (4, 2) pixels, given the matrix of `alignment`."""
    corners = np.array([[[0, 0], [side, 0], [0, side], [side, side]]], np.float64)
    return np.asarray(cv2.transform(corners, cv2.invertAffineTransform(matrix))[0])


def face_outline(points: Floats) -> Floats:
    """Return the outline (36, 2) of what is swapped of a face, given its landmarks (478, 2): no hair, and no edges."""
    oval, eyes = points[FACE_OVAL], points[[RIGHT_EYE, LEFT_EYE], 1].mean()
    low = np.where(oval[:, 1:] < eyes, FOREHEAD, 1.0)
    outline = np.column_stack([oval[:, :1], eyes + low * (oval[:, 1:] - eyes)])
    return outline.mean(0) + INSET * (outline - outline.mean(0))


def watch_person(clip: Video, face: int | None, progress: Progress | None) -> tuple[TargetTrack, Floats]:
    """Follow one person through a clip.

    Args:
        clip: The clip.
        face: Which person, counted from 0 at the left of the first frame with a face; the largest when None.
        progress: Told how far it is.

    Returns:
        The person's track, and how much of the face is in view in each frame, (N,) from 0 to 1.

    Raises:
        InputError: There are several people and none was chosen, or fewer than `face` asks for.
        NoFaceError: There is no face.
    """
    sizes = sorted(box.width * box.height for box in first_faces(clip)[1])
    if face is None and len(sizes) > 1 and sizes[-2] > RIVAL * sizes[-1]:
        raise InputError(
            f"There are {len(sizes)} people in {clip.path.name}: choose one, counted from 0 at the left.",
            remedy={"face": 0},
        )
    found = watch_targets(clip, face, progress)
    [track] = found.tracks.values()
    return track, how_visible(track, [*pairwise([*found.shots, clip.frame_count])], float(clip.fps))


def _part(
    source: str | Path | Video, face: int | None, left_out: Counter[str], progress: Progress | None
) -> list[_Cut]:
    """Cut the faces out of one source."""
    with ExitStack() as stack:
        file = None if isinstance(source, Video) or is_address(source) else expanded(source)
        if file is not None and file.is_dir():
            finds = _in_photos(photos_in(file), left_out, progress)
        elif file is not None and zipfile.is_zipfile(file):
            finds = _in_photos(_Packed(stack.enter_context(zipfile.ZipFile(file))), left_out, progress)
        else:
            subject = open_subject(source, progress)
            if isinstance(subject, Video):
                finds = _in_clip(subject, face, left_out, progress)
            else:
                finds = _in_photos([subject], left_out, progress)
        return _sharp([*_cut_out(finds, left_out)], left_out)


def _in_clip(clip: Video, face: int | None, left_out: Counter[str], progress: Progress | None) -> Iterator[_Find]:
    """Find the faces of a clip, of a long one at a lower rate."""
    clip = replace(clip, fps=clip.fps / math.ceil(clip.frame_count / MOST))
    track, visible = watch_person(clip, face, progress)
    with closing(counted(clip.frames(), stage=STAGE, total=clip.frame_count, progress=progress)) as frames:
        for number, frame in enumerate(frames):
            if not track.found[number]:
                left_out["without a face"] += 1
            elif visible[number] < 0.5:
                left_out["covered"] += 1
            else:
                yield _Find(frame, track.landmarks[number])


def _in_photos(photos: Sequence[PhotoSource], left_out: Counter[str], progress: Progress | None) -> Iterator[_Find]:
    """Find the largest face of each photo."""
    spread = np.linspace(0, len(photos) - 1, min(len(photos), MOST)).round().astype(int)
    left_out["more than are needed"] += len(photos) - len(spread)
    looked = in_parallel(_look, (photos[one] for one in spread))
    for found in counted(looked, stage=Stage(STAGE, "photos"), total=len(spread), progress=progress):
        if isinstance(found, str):
            left_out[found] += 1
        else:
            yield found


def _look(photo: PhotoSource) -> _Find | str:
    """Find the face of a photo, or say why there is none."""
    try:
        picture = read_image(photo, max_side=LARGEST_SIDE)
    except MemegenError:
        return "unreadable"
    faces = detect_faces(picture)
    mesh = mesh_near(picture, pick_face(faces), passes=2) if faces else None
    return "without a face" if mesh is None else _Find(picture, refine_eyes(picture, mesh))


class _Packed(Sequence[bytes]):
    """The photos of a zip file, read when they are asked for; one that is far too large or locked is empty."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        listed = sorted(archive.infolist(), key=lambda one: one.filename)
        self._photos = [one for one in listed if Path(one.filename).suffix.lower() in PHOTO_SUFFIXES]

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, place: Any) -> Any:
        photo = self._photos[place]
        with suppress(RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, OSError):
            if photo.file_size <= LARGEST_PHOTO and not Path(photo.filename).name.startswith("."):
                return self._archive.read(photo)
        return b""


def _cut_out(finds: Iterable[_Find], left_out: Counter[str]) -> Iterator[_Cut]:
    """Cut out the faces that look towards us and are large enough."""
    for picture, landmarks in finds:
        if (abs(turned_aside(fit_pose(landmarks))) > ASIDE).any():
            left_out["turned away"] += 1
        elif eye_distance(landmarks) < SMALL:
            left_out["too small"] += 1
        else:
            matrix = alignment(landmarks)
            depth = landmarks[:, 2:] * np.hypot(*matrix[0, :2])
            points = np.column_stack([landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2], depth])
            yield _Cut(cut_face(picture, matrix), points.astype(np.float32))


def _sharp(cuts: Sequence[_Cut], left_out: Counter[str]) -> list[_Cut]:
    """Leave out the faces that are far more blurred than the others of their source."""
    sharpness = [float(np.log(cv2.Laplacian(cut.crop, cv2.CV_32F).var() + 1)) for cut in cuts]
    least = np.median(sharpness) + np.log(BLURRED) if cuts else 0.0
    kept = [cut for cut, sharp in zip(cuts, sharpness, strict=True) if sharp >= least]
    left_out["blurred"] += len(cuts) - len(kept)
    return kept


def _undoubled(cuts: Sequence[_Cut], left_out: Counter[str]) -> list[_Cut]:
    """Leave out faces that are the same picture as one before."""
    # Means of small parts have lost the noise of a codec, and the largest difference sees a single part that moved.
    small = np.empty((len(cuts), PARTS * PARTS), np.int16)
    kept: list[_Cut] = []
    for cut in cuts:
        grey = cv2.resize(cv2.cvtColor(cut.crop, cv2.COLOR_RGB2GRAY), (PARTS, PARTS), interpolation=cv2.INTER_AREA)
        small[len(kept)] = grey.reshape(-1)
        if (abs(small[: len(kept)] - small[len(kept)]).max(1) >= DOUBLED).all():
            kept.append(cut)
    left_out["doubled"] += len(cuts) - len(kept)
    return kept


def _name_of(source: str | Path | Video) -> str:
    return source.path.name if isinstance(source, Video) else Path(source).name
