"""Pages: pictures with captions, in rows, and clips laid out in time."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.face.cropping import FaceBox, crop_face
from memegen.media.video import Video
from memegen.preview.drawing import BLACK, FONT, scaled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 8  # pixels between pictures
BAR = 30  # pixels of a line of text between pictures


@dataclass(frozen=True)
class Shown:
    """A picture with its caption; as a cell's last line it is displayed.

    Attributes:
        data: The file's bytes.
        kind: Its media type.
        caption: What there is to see; also the text for those who can't see it.
    """

    data: bytes
    kind: str
    caption: str

    def _repr_html_(self) -> str:
        text = html.escape(self.caption, quote=True)
        address = f"data:{self.kind};base64,{base64.b64encode(self.data).decode('ascii')}"
        return (
            f'<figure style="margin: 0"><img alt="{text}" src="{address}" style="max-width: 100%; height: auto">'
            f"<figcaption>{text}</figcaption></figure>"
        )


def show(picture: Image | Figure, caption: str) -> Shown:
    """Give a picture a caption, to be a cell's last line.

    Args:
        picture: uint8 RGB (H, W, 3), or a matplotlib figure.
        caption: What there is to see, in a sentence.
    """
    if not isinstance(picture, np.ndarray):
        file = io.BytesIO()
        picture.savefig(file, format="png", dpi=110)
        return Shown(file.getvalue(), "image/png", caption)
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return Shown(data.tobytes(), "image/jpeg", caption)


def side_by_side(*images: Image, labels: Sequence[str] = (), height: int | None = None) -> Image:
    """Put pictures into a row, scaled to one height, each over its label.

    Args:
        images: uint8 RGB (H, W, 3) of any sizes.
        labels: Plain ASCII; as many as pictures, or none.
        height: Pixels; the tallest picture's if None.

    Raises:
        InputError: There are no pictures, or not as many labels.
    """
    return tiles(list(images), labels, columns=len(images), height=height or max((len(i) for i in images), default=0))


def contact_sheet(frames: Video | Iterable[Image], *, count: int = 8, columns: int = 4, height: int = 200) -> Image:
    """Lay out frames of a clip, evenly spaced in time; a Video's are labelled with the seconds, others with numbers.

    Args:
        frames: A clip, or uint8 RGB frames, which are then held in memory.
        count: How many at most.
        columns: How many in a row.
        height: Of each, pixels.

    Raises:
        InputError: There are no frames.
    """
    chosen = sample_frames(frames, count)
    if isinstance(frames, Video):
        labels = [f"{frames.start + number / float(frames.fps):.2f} s" for number in chosen]
    else:
        labels = [f"frame {number}" for number in chosen]
    return tiles(list(chosen.values()), labels, columns=columns, height=height)


def strips(rows: Mapping[str, Iterable[Image]], *, count: int = 6, height: int = 150) -> Image:
    """Lay out clips one below the other, so that what differs can be compared at the same moments.

    Args:
        rows: For each label (plain ASCII) the frames of a clip, uint8 RGB.
        count: Frames of each clip, evenly spaced.
        height: Of each frame, pixels.

    Raises:
        InputError: There are no frames.
    """
    parts = []
    for label, frames in rows.items():
        row = tiles(list(sample_frames(frames, count).values()), (), columns=count, height=height)
        parts += [_bar(label, row.shape[1], middle=False), row]
    return _stacked(parts)


def sample_frames(frames: Video | Iterable[Image], count: int) -> dict[int, Image]:
    """Take at most `count` evenly spaced frames from a clip, the first and the last among them; keys are their numbers.

    Raises:
        InputError: There are no frames.
    """
    if isinstance(frames, Video):
        wanted = set(_spaced(frames.frame_count, count))
        return {number: frame for number, frame in enumerate(frames.frames()) if number in wanted}
    held = list(frames)
    if not held:
        raise InputError("There are no frames to show: give a clip or a list with at least one.")
    return {number: held[number] for number in _spaced(len(held), count)}


def crop_frames(
    frames: Video | Iterable[Image], box: FaceBox, *, margin: float = 0.15, side: int = 256, count: int | None = None
) -> list[Image]:
    """Cut the same square out of every frame, as `crop_face` does.

    Args:
        frames: A clip, or uint8 RGB frames.
        box: The face over the whole clip in pixels, as `crop_video` gives it.
        margin: Room on each side as a part of the box's longer side.
        side: Pixels of the results' sides.
        count: How many frames to take from the beginning; None for all.

    Returns:
        uint8 RGB (side, side, 3) each.
    """
    stream = frames.frames() if isinstance(frames, Video) else frames
    return [crop_face(frame, box, margin=margin, side=side) for frame in islice(stream, count)]


def tiles(images: Sequence[Image], labels: Sequence[str], *, columns: int, height: int) -> Image:
    """Lay out pictures in rows, scaled to one height, labels below them.

    Raises:
        InputError: There are no pictures, or not as many labels.
    """
    if not images or (labels and len(labels) != len(images)):
        raise InputError(f"There are {len(images)} pictures and {len(labels)} labels: give one for each, or no labels.")
    tiles = []
    for number, image in enumerate(images):
        tile = scaled(image, height)
        tiles.append(np.concatenate([tile, _bar(labels[number], tile.shape[1])]) if labels else tile)
    rows = [_row(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    return _stacked(rows)


def _spaced(total: int, count: int) -> list[int]:
    return [int(number) for number in np.unique(np.linspace(0, total - 1, min(count, total)).round())]


def _row(tiles: Sequence[Image]) -> Image:
    gap = np.full((len(tiles[0]), GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)


def _stacked(rows: Sequence[Image]) -> Image:
    """Put rows of any widths one below the other on white."""
    width = max(row.shape[1] for row in rows)
    parts = []
    for row in rows:
        part = np.full((len(row) + GAP, width, 3), 255, np.uint8)
        part[: len(row), : row.shape[1]] = row
        parts.append(part)
    return np.concatenate(parts)[:-GAP]


def _bar(text: str, width: int, *, middle: bool = True) -> Image:
    """Write a line of text on white, as small as it has to be."""
    bar = np.full((BAR, width, 3), 255, np.uint8)
    scale = cv2.getFontScaleFromHeight(FONT, 13, 1)
    (wide, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    scale *= min(1.0, (width - 4) / max(wide, 1))
    (wide, tall), _ = cv2.getTextSize(text, FONT, scale, 1)
    left = (width - wide) // 2 if middle else 2
    cv2.putText(bar, text, (max(left, 0), (BAR + tall) // 2), FONT, scale, BLACK, 1, cv2.LINE_AA)
    return bar
