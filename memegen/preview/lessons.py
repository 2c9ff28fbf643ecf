"""What the lessons look at: crops of a photo and of a driving clip, and the mesh engine's way to one frame."""

from __future__ import annotations

from collections.abc import Iterable

from memegen.base.arrays import Image
from memegen.face.cropping import FaceBox, crop_face, points_box
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.topology import Landmarks
from memegen.face.tracking import FaceTrack, crop_video, track_face
from memegen.media.video import Video
from memegen.mesh.explain import MeshInternals, explain_frame


def crop_frames(frames: Video | Iterable[Image], box: FaceBox, *, margin: float = 0.15) -> list[Image]:
    """Cut the same square out of every frame, as `crop_face` does; uint8 RGB (256, 256, 3) each."""
    stream = frames.frames() if isinstance(frames, Video) else frames
    return [crop_face(frame, box, margin=margin) for frame in stream]


def crop_pair(photo: Image, driving: Video, *, every: int = 1) -> tuple[Image, list[Image]]:
    """Cut out what the First Order Motion Model is given: squares around the photo's and the driver's largest face.

    Args:
        photo: uint8 RGB (H, W, 3).
        driving: The driving clip.
        every: Take every n-th driving frame only.

    Returns:
        The source and the driving frames, uint8 RGB (256, 256, 3) each.

    Raises:
        NoFaceError: The photo or the clip has no face.
    """
    landmarks, track = _find(photo, driving)
    source = crop_face(photo, points_box(landmarks), margin=0.15)
    return source, crop_frames(driving, crop_video(track))[::every]


def explain_mesh(photo: Image, driving: Video, *, frame: int = 0) -> MeshInternals:
    """Return what the mesh engine computes on the way from a photo, uint8 RGB (H, W, 3), to one driving frame.

    Raises:
        NoFaceError: The photo or the clip has no face.
    """
    landmarks, track = _find(photo, driving)
    return explain_frame(photo, landmarks, track.landmarks, frame=frame)


def _find(photo: Image, driving: Video) -> tuple[Landmarks, FaceTrack]:
    track = track_face(driving.frames(), fps=float(driving.fps), start=driving.start, name=str(driving.path))
    return face_mesh(photo, pick_face(detect_faces(photo))), track
