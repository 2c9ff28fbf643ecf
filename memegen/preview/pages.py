"""Pages of pictures: in a row, evenly spaced in time, or clip below clip."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from PIL import Image as Pillow

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError, UnavailableError
from memegen.base.html import data_address
from memegen.face.cropping import FaceBox, crop_face, points_box
from memegen.face.topology import Landmarks
from memegen.media.video import Video

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Side = Literal["center", "left"]

WIDTH = 5.6  # inches of a page: matplotlib's letters then are as high as a notebook's own, and readable on a phone
DOTS = 256  # pixels an inch in the file; it is shown at half of them, so that screens with small pixels are sharp, too


@dataclass(frozen=True)
class Shown:
    """A picture with its caption. A notebook displays it as a cell's last line.

    Attributes:
        data: A WebP file.
        width: At which it is shown, in CSS pixels; less on a narrow screen.
        caption: What there is to see; also the text for people who can't see it.
    """

    data: bytes
    width: int
    caption: str

    def _repr_html_(self) -> str:
        text = html.escape(self.caption, quote=True)
        look = f'width="{self.width}" style="max-width: 100%; height: auto; background: white"'
        picture = f'<img alt="{text}" {look} src="{data_address(self.data, "image/webp")}">'
        return f'<figure style="margin: 0">{picture}<figcaption>{text}</figcaption></figure>'


def show(picture: Image | Figure, caption: str) -> Shown:
    """Give a picture a caption. Make this the last line of a cell.

    Args:
        picture: uint8 RGB (H, W, 3), or a matplotlib figure.
        caption: What there is to see, in a sentence.
    """
    file = io.BytesIO()
    if isinstance(picture, np.ndarray):
        Pillow.fromarray(picture).save(file, "WEBP", quality=90)
        return Shown(file.getvalue(), picture.shape[1], caption)
    picture.savefig(file, format="webp", dpi=DOTS, bbox_inches="tight", pad_inches=0.03, pil_kwargs={"quality": 90})
    return Shown(file.getvalue(), Pillow.open(file).width // 2, caption)


def side_by_side(*pictures: Image | Floats, labels: Sequence[str] = ()) -> Figure:
    """Put pictures of any sizes into a row.

    Args:
        *pictures: uint8 RGB (H, W, 3), or maps: floats (H, W), painted from dark (lowest) to bright yellow (highest)
            with a scale below.
        labels: One for each picture, or none.

    Raises:
        InputError: There are no pictures, or the number of labels is another.
    """
    return page(pictures, labels, columns=len(pictures))


def contact_sheet(frames: Video | Iterable[Image], *, count: int = 8, columns: int = 4) -> Figure:
    """Lay out frames of a clip, evenly spaced in time. A Video's are labelled with seconds, others with their number.

    Args:
        frames: A clip, or uint8 RGB frames, which are then held in memory.
        count: How many at most.
        columns: How many in a row.

    Raises:
        InputError: There are no frames.
    """
    chosen = sample_frames(frames, count)
    if isinstance(frames, Video):
        labels = [f"{frames.start + number / float(frames.fps):.2f} s" for number in chosen]
    else:
        labels = [f"frame {number}" for number in chosen]
    return page(list(chosen.values()), labels, columns=columns)


def strips(rows: Mapping[str, Iterable[Image]], *, count: int = 6) -> Figure:
    """Lay out clips one below the other, to compare them at the same moments.

    Args:
        rows: For each label the frames of a clip, uint8 RGB.
        count: Frames of each clip, evenly spaced.

    Raises:
        InputError: There are no frames.
    """
    pictures: list[Image | None] = []
    labels: list[str] = []
    for label, frames in rows.items():
        row = list(sample_frames(frames, count).values())
        pictures += [*row, *[None] * (count - len(row))]
        labels += [label, *[""] * (count - 1)]
    return page(pictures, labels, columns=count, side="left")


def page(
    pictures: Sequence[Image | Floats | None],
    labels: Sequence[str],
    *,
    columns: int,
    side: Literal["center", "left"] = "center",
) -> Figure:
    """Lay out pictures in rows, as `side_by_side`; None leaves a gap. Labels stand at the "center" or "left" above."""
    if not pictures or (labels and len(labels) != len(pictures)):
        raise InputError(
            f"There are {len(pictures)} pictures and {len(labels)} labels: give one for each, or no labels."
        )
    figure = new_figure(WIDTH, compress=True, w_pad=0.02, h_pad=0.03, wspace=0, hspace=0)
    shapes = [1 if picture is None else picture.shape[1] / picture.shape[0] for picture in pictures[:columns]]
    shapes += [1] * (columns - len(shapes))
    grid = figure.subplots(-(-len(pictures) // columns), columns, squeeze=False, width_ratios=shapes)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, picture, label in zip(grid.flat, pictures, labels or [""] * len(pictures), strict=False):
        axes.set_title(label, loc=side, fontsize="medium", pad=3)
        if picture is not None:
            drawn = axes.imshow(_fitted(picture, WIDTH * DOTS / columns), cmap="inferno")
            if picture.ndim == 2:
                figure.colorbar(drawn, cax=axes.inset_axes((0, -0.08, 1, 0.05)), location="bottom")
    return figure


def new_figure(height: float, **layout: Any) -> Figure:
    """Make a figure as wide as a page, `height` in inches. No window holds it, so that its memory is freed."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise UnavailableError("Figures need matplotlib: pip install 'memegen[notebook]'.") from error
    return Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(**layout))


def sample_frames(frames: Video | Iterable[Image], count: int) -> dict[int, Image]:
    """Take at most `count` evenly spaced frames of a clip, by their numbers; the first and the last are among them.

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


def crop_frames(frames: Video | Iterable[Image], face: FaceBox | Landmarks, *, margin: float = 0.15) -> list[Image]:
    """Cut the same square out of every frame, as `crop_face` does.

    Args:
        frames: A clip, or uint8 RGB frames.
        face: Where it is, in pixels: a box (`crop_video` finds one for a whole clip), or landmarks (K, 2 or 3).
        margin: Room on each side as a part of the box's longer side.

    Returns:
        uint8 RGB (256, 256, 3) each.
    """
    box = face if isinstance(face, FaceBox) else points_box(face)
    stream = frames.frames() if isinstance(frames, Video) else frames
    return [crop_face(frame, box, margin=margin) for frame in stream]


def _spaced(total: int, count: int) -> list[int]:
    return [int(number) for number in np.unique(np.linspace(0, total - 1, min(count, total)).round())]


def _fitted(picture: Image | Floats, width: float) -> Image | Floats:
    """Shrink a picture that is wider than its place in pixels: matplotlib is slow with large ones and keeps them."""
    scale = min(1.0, width / picture.shape[1])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
