"""Pages of pictures: in a row, evenly spaced in time, or clip below clip."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError, UnavailableError
from memegen.base.html import data_address
from memegen.media.video import Video

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 5.6  # inches of a page: matplotlib's letters then are as high as a notebook's own, and readable on a phone
DOTS = 256  # pixels an inch in the file, which is shown at half its size: sharp on screens with small pixels, too
SPAN = (-1, 1, 1, -1)  # left, right, bottom and top of a picture in its axes


def show(picture: Image | Figure, caption: str) -> Any:
    """Give a picture a caption. Make this the last line of a cell: Jupyter displays what it returns.

    Args:
        picture: uint8 RGB (H, W, 3), or a matplotlib figure.
        caption: What there is to see, in a sentence; screen readers read it.

    Returns:
        An `IPython.display.HTML` that holds a WebP picture, which shrinks on a narrow screen.
    """
    from IPython.display import HTML

    file, text = io.BytesIO(), html.escape(caption)
    if isinstance(picture, np.ndarray):
        Pillow.fromarray(picture).save(file, "WEBP", quality=90)
        width = picture.shape[1]
    else:
        encoding = {"quality": 90}
        picture.savefig(file, format="webp", dpi=DOTS, bbox_inches="tight", pad_inches=0.03, pil_kwargs=encoding)
        width = Pillow.open(file).width // 2
    look = f'width="{width}" style="max-width: 100%; height: auto; background: white"'
    image = f'<img alt="{text}" {look} src="{data_address(file.getvalue(), "image/webp")}">'
    return HTML(f'<figure style="margin: 0">{image}<figcaption>{text}</figcaption></figure>')  # type: ignore[no-untyped-call]


def side_by_side(*pictures: Image | Floats, labels: Sequence[str] = ()) -> Figure:
    """Put pictures of any sizes into a row.

    Args:
        *pictures: uint8 RGB (H, W, 3), or maps: floats (H, W), painted from dark (lowest) to bright yellow (highest)
            with a scale below.
        labels: One for each picture, or none.

    Raises:
        InputError: There are no pictures, or more or fewer labels than pictures.
    """
    return page(pictures, labels, columns=len(pictures))


def contact_sheet(frames: Video | Iterable[Image], *, count: int = 8, columns: int = 4) -> Figure:
    """Lay out frames of a clip, evenly spaced in time. Labels are seconds for a Video, else frame numbers.

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


def strips(rows: Mapping[str, Iterable[Image]], *, count: int = 4) -> Figure:
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
    return page(pictures, labels, columns=count, align="left")


def page(
    pictures: Sequence[Image | Floats | None], labels: Sequence[str], *, columns: int, align: str = "center"
) -> Figure:
    """Lay out pictures in rows, as `side_by_side`; None leaves a gap. Each spans -1 to 1, as the keypoints do."""
    if not pictures or (labels and len(labels) != len(pictures)):
        raise InputError(f"There are {len(pictures)} pictures and {len(labels)} labels: give one each, or no labels.")
    figure = new_figure(WIDTH, compress=True, w_pad=0.02, h_pad=0.03, wspace=0, hspace=0)
    # Columns as wide as the pictures of the first row, so that all in a row have one height.
    first = [*pictures, *[None] * columns][:columns]
    shapes = [1 if picture is None else picture.shape[1] / picture.shape[0] for picture in first]
    grid = figure.subplots(-(-len(pictures) // columns), columns, squeeze=False, width_ratios=shapes)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, picture, label in zip(grid.flat, pictures, labels or [""] * len(pictures), strict=False):
        # Without `y` matplotlib looks for a free place above the ticks, which takes as long as all the rest.
        axes.set_title(label, loc=align, fontsize="medium", pad=3, y=1)
        if picture is not None:
            # matplotlib is slow with large pictures and keeps them: shrink to the place in the file.
            scale = min(1.0, WIDTH * DOTS / columns / picture.shape[1])
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            shown = axes.imshow(small, cmap="inferno", extent=SPAN, aspect=picture.shape[0] / picture.shape[1])
            if picture.ndim == 2:
                figure.colorbar(shown, cax=axes.inset_axes((0, -0.08, 1, 0.05)), location="bottom")
    return figure


def new_figure(height: float, **layout: Any) -> Figure:
    """Make a figure as wide as a page, `height` in inches, outside pyplot's list of open figures."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise UnavailableError("Figures need matplotlib: pip install 'memegen-sings[notebook]'.") from error
    return Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(**layout))


def sample_frames(frames: Video | Iterable[Image], count: int) -> dict[int, Image]:
    """Take at most `count` evenly spaced frames of a clip, by their numbers; the first and the last are among them.

    Raises:
        InputError: There are no frames.
    """
    if not isinstance(frames, Video):
        frames = list(frames)
    total = frames.frame_count if isinstance(frames, Video) else len(frames)
    if not total:
        raise InputError("There are no frames to show: give a clip or a list with at least one.")
    wanted = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    stream = frames.frames() if isinstance(frames, Video) else frames
    return {number: frame for number, frame in enumerate(stream) if number in wanted}
