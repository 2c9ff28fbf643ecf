"""Draw set text as a small picture, white with a black outline, and lay it over frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.look.captions.fonts import EM, EMOJI, open_font
from memegen.look.captions.layout import Block
from memegen.look.captions.shaping import Glyph

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

WHITE: Colour = (255, 255, 255)
OUTLINE = 0.05  # width of the outline, in letter sizes


@dataclass(frozen=True, eq=False)
class Stamp:
    """A small picture with soft edges, to be laid over frames.

    Attributes:
        paint: uint8 RGB (H, W, 3), already multiplied by its own opacity.
        keep: uint8 (H, W, 3), how much of the frame stays, 255 for all of it.
        left: Where its left edge lies in the frame, in pixels.
        top: Where its top edge lies in the frame, in pixels.
    """

    paint: Image
    keep: Image
    left: int = 0
    top: int = 0

    @property
    def box(self) -> Box:
        """Left, top, right and bottom in pixels, right and bottom exclusive."""
        height, width = self.paint.shape[:2]
        return self.left, self.top, self.left + width, self.top + height

    def at(self, left: float, top: float) -> Stamp:
        """Return the same picture at another place."""
        return replace(self, left=round(left), top=round(top))

    def moved(self, right: float, down: float) -> Stamp:
        """Return the same picture some pixels away."""
        return self.at(self.left + right, self.top + down)

    def blend(self, frame: Image, opacity: float = 1.0) -> None:
        """Lay the picture over a frame, in place; what is outside the frame is cut off.

        Args:
            frame: uint8 RGB (H, W, 3) or RGBA (H, W, 4), writable.
            opacity: From 0, which leaves the frame as it is, to 1.
        """
        left, top, right, bottom = self.box
        x, y = max(left, 0), max(top, 0)
        part = frame[y : max(bottom, y), x : max(right, x)]
        if opacity <= 0 or not part.size:
            return
        inner = np.s_[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]]
        paint, keep = self.paint[inner], self.keep[inner]
        if opacity < 1:
            paint = cv2.convertScaleAbs(paint, alpha=opacity)
            keep = cv2.convertScaleAbs(keep, alpha=opacity, beta=255 * (1 - opacity))
        if part.shape[2] == 4:
            _blend_clear(part, paint, keep)
            return
        # Porter and Duff's "over" for colours that are already multiplied by their opacity.
        cv2.multiply(part, keep, dst=part, scale=1 / 255)
        cv2.add(part, paint, dst=part)


def _blend_clear(part: Image, paint: Image, keep: Image) -> None:
    """Lay a stamp's picture over a part of an RGBA frame, in place: "over" for colours that are not multiplied yet."""
    behind = keep[..., :1] / 255 * (part[..., 3:] / 255)
    alpha = 1 - keep[..., :1] / 255 + behind
    part[..., :3] = ((paint + part[..., :3] * behind) / np.maximum(alpha, 1 / 255)).round().clip(0, 255)
    part[..., 3:] = (255 * alpha).round()


def draw(block: Block, *, fill: Colour = WHITE, outline: float = OUTLINE, only: Collection[int] | None = None) -> Stamp:
    """Draw set text with a black outline.

    Args:
        block: The text.
        fill: RGB of the letters; emoji keep their own colours.
        outline: Width of the outline in letter sizes; 0 for none.
        only: Draw only the glyphs of these letters, counted in the tidied text; None for all.

    Returns:
        The picture; the block's corner is at (0, 0), and outlines may lie outside of it.
    """
    glyphs = [glyph for glyph in block.glyphs if only is None or glyph.letter in only]
    radius = max(outline * block.size, 1.0) if outline else 0.0
    # Drawn larger and averaged down: HarfBuzz smooths edges, but small letters need more.
    over = 4 if block.size < 40 else 2
    left, top, right, bottom = _window(glyphs, block.size, radius + 1)
    coverage, colours = _rasterised(glyphs, block.size, (left, top, right, bottom), over)
    ink = cv2.merge([cv2.convertScaleAbs(coverage, alpha=channel / 255) for channel in fill])
    if colours is not None:  # emoji go over the letters, as in `Stamp.blend`
        clear = cv2.merge([255 - colours[..., 3]] * 3)
        ink = cv2.add(cv2.multiply(ink, clear, scale=1 / 255), np.ascontiguousarray(colours[..., :3]))
        coverage = np.maximum(coverage, colours[..., 3])
    alpha = np.maximum(coverage, _grown(coverage, radius * over)) if radius else coverage
    paint, alpha = (
        cv2.resize(part, (right - left, bottom - top), interpolation=cv2.INTER_AREA) for part in (ink, alpha)
    )
    # Only the part with ink is laid over every frame.
    x, y, width, height = cv2.boundingRect(alpha)
    paint, alpha = (np.ascontiguousarray(part[y : y + height, x : x + width]) for part in (paint, alpha))
    return Stamp(paint, cv2.merge([255 - alpha] * 3), left + x, top + y)


def on_plate(text: Stamp, *, padding: tuple[int, int], opacity: float = 0.62) -> Stamp:
    """Put a text on a dark, half-transparent plate with round ends, so that it is readable on anything.

    Args:
        text: The text, white.
        padding: Space at the sides and above and below, in pixels.
        opacity: How dark the plate is, 0 to 1.

    Returns:
        Text and plate in one, the plate's corner at (0, 0).
    """
    along, across = padding
    height, width = text.paint.shape[0] + 2 * across, text.paint.shape[1] + 2 * along
    # A rectangle between two discs, drawn at four times the size for smooth edges.
    radius, right = 2 * height, 4 * width - 2 * height
    plate = np.zeros((4 * height, 4 * width), np.uint8)
    cv2.rectangle(plate, (radius, 0), (right, 4 * height), 255, -1)
    for x in (radius, right):
        cv2.circle(plate, (x, radius), radius, 255, -1)
    shape = cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA)
    keep = cv2.merge([cv2.convertScaleAbs(255 - opacity * shape)] * 3)
    paint = np.zeros_like(keep)
    text.at(along, across).blend(paint)
    # The frame shows through where both plate and text let it through.
    inner = keep[across:-across, along:-along]
    inner[:] = cv2.multiply(np.ascontiguousarray(inner), text.keep, scale=1 / 255)
    return Stamp(paint, keep)


def _window(glyphs: Sequence[Glyph], size: float, margin: float) -> Box:
    """Return the box around the ink of glyphs, in pixels from the block's corner."""
    found = [(-1.0, -1.0, 1.0, 1.0)]
    for glyph in glyphs:
        extents, unit = open_font(glyph.font).get_glyph_extents(glyph.number), size / EM
        if extents and extents.width:
            left, top = glyph.x + extents.x_bearing * unit, glyph.y - extents.y_bearing * unit
            found.append((left, top, left + extents.width * unit, top - extents.height * unit))
    sides = np.asarray(found[1:] or found)
    left, top = np.floor(sides[:, :2].min(axis=0) - margin)
    right, bottom = np.ceil(sides[:, 2:].max(axis=0) + margin)
    return int(left), int(top), int(right), int(bottom)


def _rasterised(glyphs: Sequence[Glyph], size: float, window: Box, over: int) -> tuple[Image, Image | None]:
    """Draw glyphs at `over` times their size: uint8 coverage (H, W), and emoji as RGBA (H, W, 4) or None."""
    import uharfbuzz as hb

    left, top, right, bottom = (over * side for side in window)
    unit = EM / (size * over)  # font units in a pixel
    letters, emoji = hb.RasterDraw(), hb.RasterPaint()  # emoji bring their own colours
    for sheet in (letters, emoji):
        sheet.scale_factor = (unit, unit)
        sheet.extents = hb.RasterExtents(left, -bottom, right - left, bottom - top, 0)
    for glyph in glyphs:
        font = open_font(glyph.font)
        # HarfBuzz counts y upwards, blocks count it downwards.
        letters.transform = emoji.transform = (1, 0, 0, 1, glyph.x * over * unit, -glyph.y * over * unit)
        if glyph.font != EMOJI or not emoji.paint_glyph_or_fail(font, glyph.number):
            letters.draw_glyph(font, glyph.number)
    shape = (bottom - top, right - left)
    coverage = _pixels(letters.render(), *shape, 1)[..., 0]
    if all(glyph.font != EMOJI for glyph in glyphs):
        return coverage, None
    return coverage, _pixels(emoji.render(), *shape, 4)[..., [2, 1, 0, 3]]  # from BGRA


def _pixels(image: Any, height: int, width: int, channels: int) -> Image:
    """Copy a picture of HarfBuzz, whose rows go upwards; an empty one if nothing was drawn."""
    if image is None or not image.buffer:
        return np.zeros((height, width, channels), np.uint8)
    rows = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride)
    return np.ascontiguousarray(rows[::-1, : width * channels]).reshape(height, width, channels)


def _grown(letters: Image, radius: float) -> Image:
    """Grow shapes by a radius in pixels, with round corners and edges one pixel soft."""
    distance = cv2.distanceTransform((letters < 128).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return (255 * np.clip(radius + 0.5 - np.asarray(distance), 0, 1)).astype(np.uint8)
