"""How a face looks in a picture, and how to make another picture look like it: its colours, sharpness and grain."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.cropping import points_box
from memegen.face.topology import FACE_OVAL, LIPS, LOWER_FACE, eye_distance

WARMTH = 0.25  # least colour of white teeth, over the skin's
DEEP = 1.4  # gamma of what is darker than skin: drivers are lit more from the front than most photos
DEEPER = 0.7  # how dark a mouth is, over the darkest parts of the rest of a face
DIM = 40  # least luma of a driver's skin that is believed: its first frame may be black
STEEP = 0.5, 1.5  # limits of the contrast above the skin's luma, as multiples of both skins' ratio
MOST_GAIN = 1.5  # of a colour's luma, as a multiple of both skins' ratio
LINE = 0.016  # thickness of the line between the lips, over the inter-ocular distance
COARSE = 100  # inter-ocular distance in pixels from which not every pixel's colour is looked at
SMOOTH = [50, 280, 205, 425, 200, 151, 108, 337]  # where skin is smooth: cheeks, chin, forehead
REBLUR = 1.5  # pixels of blur by which the blur of edges is measured
PATCH = 0.09  # half a side of the patches of skin there, over the inter-ocular distance
FINE = 0.02  # blur, over the inter-ocular distance, that leaves nothing of the grain
MOST_GRAIN = 0.06  # of the skin's luma: more is not grain
TILE = 256  # side of the grain, pixels; it repeats

# Luma and the differences of red and blue from it (Rec. 601), and the way back
TO_LUMA = np.array([[0.299, 0.587, 0.114], [0.701, -0.587, -0.114], [-0.299, -0.587, 0.886]])
TO_RGB = np.linalg.inv(TO_LUMA)


class Complexion(NamedTuple):
    """How a face looks in a picture.

    Attributes:
        dark: (3,) RGB of its darkest parts: pupils, nostrils.
        line: (3,) RGB of the dark line between its lips.
        skin: Luma of the lower face's skin.
        light: Luma of its brightest parts: the whites of the eyes, highlights.
        tint: (2,) what the skin has more of red and of blue than of luma, over its luma.
        spread: How much the face's parts differ in colour, over the skin's luma; 0 in a monochrome picture.
        blur: Of its edges, over the inter-ocular distance.
    """

    dark: Floats
    line: Floats
    skin: float
    light: float
    tint: Floats
    spread: float
    blur: float


class Palette(NamedTuple):
    """How a driver is shown in a photo.

    Attributes:
        hue: (3, 3) float32 matrix for RGB colours, which keeps the luma.
        gain: (256,) float32 factor for a colour by its luma.
        dark: (3,) uint8 RGB of the deepest part of a mouth.
        line: (3,) uint8 RGB of its edge, and of a mouth that is hardly open.
        red: How much more red than luma the driver's skin has.
        blur: To add to the driver's picture, over the inter-ocular distance; below 0 it is to be sharpened by as much.
        grain: (TILE, TILE) float32 factors around 1.
    """

    hue: Floats
    gain: Floats
    dark: Image
    line: Image
    red: float
    blur: float
    grain: Floats

    def show(self, picture: Image, unit: float) -> Image:
        """Give a driver's picture (h, w, 3) the photo's sharpness, colours and grain.

        Args:
            picture: uint8 RGB, in the photo's size.
            unit: The inter-ocular distance there, pixels.
        """
        blur = self.blur * unit
        if abs(blur) > 0.5:
            soft = cv2.GaussianBlur(picture, (0, 0), abs(blur))
            picture = np.asarray(soft if blur > 0 else cv2.addWeighted(picture, 2, soft, -1, 0), np.uint8)
        # The grain is multiplied: there is less of it in the dark, and none of another colour.
        height, width = picture.shape[:2]
        grain = self.grain[np.arange(height) % TILE][:, np.arange(width) % TILE]
        gain = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), self.gain) * grain
        hues = cv2.transform(picture.astype(np.float32), self.hue)
        shown = cv2.multiply(hues, cv2.merge([gain] * 3), dtype=cv2.CV_8U)
        return np.maximum(np.asarray(shown, np.uint8), self.dark)


def match_colours(photo: Image, landmarks: Floats, frame: Image, driving: Floats) -> Palette:
    """Work out how to show the driver as if it were in the photo, by comparing the two faces.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (478, 2 or 3) pixels in the photo.
        frame: uint8 RGB, a frame of the driver.
        driving: (478, 2 or 3) pixels in the frame.
    """
    mine, theirs = _complexion(photo, landmarks), _complexion(frame, driving)
    more = mine.blur**2 - theirs.blur**2  # variances of blurs in succession add up
    gain = mine.skin / max(theirs.skin, DIM)
    return Palette(
        hue=_hue(mine, theirs).astype(np.float32),
        # Where the driver is black, a large factor would show only the noise of its colours.
        gain=np.minimum(_curve(mine, theirs) / np.maximum(np.arange(256), 1), MOST_GAIN * gain).astype(np.float32),
        dark=mine.dark.astype(np.uint8),
        line=mine.line.astype(np.uint8),
        red=max(float(theirs.tint[0]) * theirs.skin, 1.0),
        blur=float(np.sign(more) * np.sqrt(abs(more))),
        grain=_grain(photo, landmarks),
    )


def _hue(mine: Complexion, theirs: Complexion) -> Floats:
    """Work out the matrix (3, 3) for RGB that turns the driver's hues into the photo's and keeps the luma."""
    # A colour's difference from the skin counts by how colourful the photo's face is: nothing in a black-and-white or
    # brown picture. It is limited so that white, against the driver's skin, still has some of the photo's tint.
    ours, its = (float(np.linalg.norm(face.tint)) + 1e-3 for face in (mine, theirs))
    colour = min(mine.spread / (theirs.spread + 1e-3), (1 - WARMTH) * ours / its)
    # Hues turn by the angle between the skins': red and blue as complex numbers are multiplied by one.
    turn = colour * complex(*mine.tint / ours) * complex(*theirs.tint / its).conjugate()
    change = np.array([[1, 0, 0], [0, turn.real, -turn.imag], [0, turn.imag, turn.real]])
    change[1:, 0] = mine.tint - change[1:, 1:] @ theirs.tint
    return np.asarray(TO_RGB @ change @ TO_LUMA)


def _curve(mine: Complexion, theirs: Complexion) -> Floats:
    """Work out which luma in the photo (256,) corresponds to the driver's."""
    luma, skin = np.arange(256.0), max(theirs.skin, DIM)
    floor, black = (float(TO_LUMA[0] @ face.dark) for face in (mine, theirs))
    black = min(black, 0.3 * skin)  # in a pale picture the mouth may be darker than the eyes
    below = floor + (mine.skin - floor) * (np.clip(luma - black, 0, None) / (skin - black)) ** DEEP
    # Teeth may be brighter than skin, but not brighter than the photo's brightest parts.
    room = max(mine.light - mine.skin, 0.05 * mine.skin)
    least, most = (limit * mine.skin / skin for limit in STEEP)
    slope = min(max(room / max(theirs.light - skin, 1), least), most)
    return np.where(luma > skin, mine.skin + room * np.tanh(slope * (luma - skin) / room), below)


def _complexion(image: Image, landmarks: Floats) -> Complexion:
    """Measure how a face looks: uint8 RGB (H, W, 3) with landmarks (478, 2 or 3) in pixels."""
    box = points_box(landmarks[FACE_OVAL]).clip(image.shape[1], image.shape[0])
    left, top = int(box.left), int(box.top)
    face, unit = image[top : int(box.bottom) + 1, left : int(box.right) + 1], float(eye_distance(landmarks[:, :2]))
    # Colours are measured from every k-th pixel. What lies outside the picture shrinks to its edge, and is not empty.
    k = int(unit // COARSE) + 1
    some = face[::k, ::k]
    points = (np.clip(landmarks[:, :2] - [left, top], 0, np.array(face.shape[1::-1]) - 1) / k).astype(np.int32)
    oval, lower, line = np.zeros((3, *some.shape[:2]), np.uint8)
    cv2.fillPoly(oval, [points[FACE_OVAL]], 1)
    cv2.fillPoly(lower, [points[LOWER_FACE]], 1)
    cv2.fillPoly(lower, [points[LIPS]], 0)
    cv2.polylines(line, [points[LIPS]], True, 1, max(round(LINE * unit / k), 1))
    colours, cheeks, lips = (some[part > 0] for part in (oval, lower, line))
    skin = max(float(np.median(cheeks @ TO_LUMA[0])), 1.0)
    tint = np.median(cheeks @ TO_LUMA[1:].T, axis=0) / skin
    luma, *chroma = TO_LUMA @ colours.T
    return Complexion(
        dark=DEEPER * _darkest(colours, 1),
        line=_darkest(lips, 10),
        skin=skin,
        light=float(np.percentile(luma, 99.5)),
        tint=tint,
        spread=float(np.sqrt(np.var(chroma - np.outer(tint, luma), axis=1).sum())) / skin,
        blur=_edge_blur(face) / unit,
    )


def _darkest(colours: Image, share: float) -> Floats:
    """Mean (3,) of the darkest of colours (N, 3), by their share in per cent."""
    luma = colours @ TO_LUMA[0]
    return np.asarray(colours[luma <= np.percentile(luma, share)].mean(0))


def _edge_blur(face: Image) -> float:
    """Measure how blurred the clearest edges in the middle of a face are: a sigma in pixels."""
    height, width = face.shape[:2]
    grey = cv2.cvtColor(face[height // 6 :, width // 6 : width - width // 6], cv2.COLOR_RGB2GRAY)
    sharp, soft = (
        cv2.magnitude(*(cv2.Sobel(picture, cv2.CV_32F, 1 - axis, axis) for axis in (0, 1)))
        for picture in (grey, cv2.GaussianBlur(grey, (0, 0), REBLUR))
    )
    clear = sharp >= np.percentile(sharp, 97)
    # A second blur flattens an edge of blur sigma by sqrt(1 + (REBLUR / sigma)^2).
    flatter = float(np.median(sharp[clear] / np.maximum(soft[clear], 1)))
    return float(REBLUR / np.sqrt(max(flatter**2 - 1, 0.01)))


def _grain(photo: Image, landmarks: Floats) -> Floats:
    """Cut the grain from the photo's smoothest skin, mirrored to and fro: (TILE, TILE) float32 factors around 1."""
    unit = float(eye_distance(landmarks[:, :2]))
    half, patches = max(int(PATCH * unit), 2), []
    for x, y in landmarks[SMOOTH, :2].astype(int):
        skin = photo[max(y - half, 0) : max(y + half, 1), max(x - half, 0) : max(x + half, 1)]
        if skin.size:
            grey = cv2.cvtColor(skin, cv2.COLOR_RGB2GRAY).astype(np.float32)
            broad = cv2.GaussianBlur(grey, (0, 0), max(FINE * unit, 1))
            patches.append((grey - broad) / max(float(grey.mean()), 1))
    grain = min(patches, key=np.std, default=np.zeros((1, 1), np.float32))
    grain *= min(MOST_GRAIN / max(float(grain.std()), 1e-6), 1)
    return 1 + np.pad(grain, [(0, max(TILE - side, 0)) for side in grain.shape], mode="symmetric")[:TILE, :TILE]
