"""Who is to sing: a photo, or a target video."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from memegen.base.arrays import Image
from memegen.base.downloads import fetch_url
from memegen.base.files import expanded, is_address
from memegen.base.progress import Progress
from memegen.media.images import PhotoSource, is_movie, read_image
from memegen.media.video import Video, open_video

TARGETS = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg"}  # endings of addresses of videos


def open_subject(photo: PhotoSource | Video, progress: Progress | None = None) -> Image | Video:
    """Read the photo that is to sing, or open the target video.

    Args:
        photo: As in `make_meme`.
        progress: Told how far a download is.

    Raises:
        InputError: It is neither, or can't be read.
        DownloadError: It could not be downloaded.
    """
    if isinstance(photo, str | Path):
        if is_address(photo) and Path(urlsplit(str(photo)).path).suffix.lower() in TARGETS:
            return open_video(fetch_url(str(photo), progress=progress))
        if not is_address(photo) and is_movie(expanded(photo)):
            return open_video(photo)
    return photo if isinstance(photo, Video) else read_image(photo)


def still_of(subject: Image | Video) -> Image:
    """Return the photo, or the first frame of a target video: uint8 RGB (H, W, 3)."""
    if not isinstance(subject, Video):
        return subject
    with closing(subject.frames()) as frames:
        return next(frames)
