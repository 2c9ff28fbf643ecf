"""What a lesson computes with a swap: errors, sharpness, codes that are alike, and the straight-line rival (PCA)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError
from memegen.swap.cues import CUES, measure
from memegen.swap.faces import MARGIN, SIDE, FaceSet

if TYPE_CHECKING:
    from memegen.swap.swapper import Swapper

KEPT_OUT = 0.1  # part of the faces, the last ones, that a training does not see
FEWEST = 2  # but at least so many
FINE = 0.02  # what is smaller than this part of the side is fine detail
NUMBERS = 64  # of the straight-line rival, as many as the bottleneck has


class Snapshot(NamedTuple):
    """How one face came out at some step of a training.

    Attributes:
        step: The step.
        picture: The face as it was drawn again then, uint8 RGB (1, side, side, 3).
    """

    step: int
    picture: Image


def keep_out(faces: FaceSet) -> tuple[FaceSet, FaceSet]:
    """Split faces into those that a training sees, and the last ones, which it does not.

    Neighbours in a clip are nearly the same picture, so only a whole part of it can be kept out honestly.
    """
    count = len(faces) - max(round(KEPT_OUT * len(faces)), FEWEST)
    return faces.some(slice(None, count)), faces.some(slice(count, None))


def widest(faces: FaceSet) -> FaceSet:
    """Return the face with the widest mouth, alone: a rare picture in most clips."""
    place = int(measure(faces.landmarks)[:, CUES.index("mouth open")].argmax())
    return faces.some(slice(place, place + 1))


def redrawn(swapper: Swapper, faces: FaceSet, who: int) -> Image:
    """Encode faces and draw them as person 0 or 1: uint8 RGB (N, side, side, 3)."""
    return swapper.draw(swapper.encode(faces.inner(swapper.side)), who)[..., :3]


def there_and_back(swapper: Swapper, faces: FaceSet, who: int) -> Image:
    """Draw person `who` with the other's face, and that picture as `who` again: uint8 RGB (N, side, side, 3)."""
    return swapper.draw(swapper.encode(redrawn(swapper, faces, 1 - who)), who)[..., :3]


def error_maps(drawn: Image, faces: FaceSet) -> Floats:
    """Compare drawn faces, uint8 RGB (N, side, side, 3), with the true ones.

    Returns:
        (N, side, side) mean error of the three colours, 0 to 1; 0 outside the face.
    """
    side = drawn.shape[1]
    edge = round(MARGIN * SIDE)
    masks = (255 * faces.masks()[:, edge : SIDE - edge, edge : SIDE - edge, None]).astype(np.uint8)
    inside = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in masks])
    wrong = np.abs(drawn.astype(np.float32) - faces.inner(side)).mean(3) / 255
    return np.asarray(wrong * (inside > 127))


def errors(drawn: Image, faces: FaceSet) -> Floats:
    """Return the mean error within each face, (N,), 0 to 1; see `error_maps`."""
    maps = error_maps(drawn, faces)
    return np.asarray(maps.sum((1, 2)) / np.maximum((maps > 0).sum((1, 2)), 1))


def detail(drawn: Image, faces: FaceSet) -> Floats:
    """Measure how much of the true fine detail of faces is in the drawn ones, uint8 RGB (N, side, side, 3).

    Returns:
        (N,): 0 for a blur, 1 for all of it; noise, which is no true detail, does not count.
    """
    side = drawn.shape[1]
    edge = side // 5  # only the middle, where the face is
    here, there = (
        np.stack([one - cv2.GaussianBlur(one, (0, 0), FINE * side) for one in pictures.astype(np.float32)])
        for pictures in (drawn[:, edge:-edge, edge:-edge], faces.inner(side)[:, edge:-edge, edge:-edge])
    )
    return np.asarray((here * there).sum((1, 2, 3)) / np.square(there).sum((1, 2, 3)))


def turned(
    code: Floats, number: int | str, low: float, high: float, *, along: Floats | None = None, count: int = 5
) -> Floats:
    """Return copies of a code (CODE,) in which one number goes from a low to a high value: (count, CODE).

    Args:
        code: As `Swapper.encode` gives it.
        number: Which one, by its place or its name in CUES.
        low: Its first value.
        high: Its last.
        along: Codes (N, CODE) of that person: the other numbers change as they usually do with this one. None keeps
            them.
        count: How many copies.

    Raises:
        InputError: There is no such number.
    """
    place = CUES.index(number) if number in CUES else number
    if not isinstance(place, int) or not 0 <= place < len(code):
        names = ", ".join(CUES)
        raise InputError(f"There is no number {number!r} in a code: give 0 to {len(code) - 1}, or one of {names}.")
    slopes = np.zeros_like(code)
    if along is not None:  # least squares: how much the others change with each unit of this one
        rest = along - along.mean(0)
        slopes = rest[:, place] @ rest / np.square(rest[:, place]).sum()
    slopes[place] = 1
    return np.asarray(code + np.outer(np.linspace(low, high, count) - code[place], slopes))


def busiest(codes: Floats) -> int:
    """Return the place of the free number, of codes (N, CODE), that changes most: one that has no name."""
    return len(CUES) + int(codes[:, len(CUES) :].std(0).argmax())


def most_alike(first: Floats, second: Floats, count: int = 4) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find for some codes of one person the most similar code of the other.

    Args:
        first: (N, CODE), as `Swapper.encode` gives them.
        second: (M, CODE) of the other person.
        count: How many pairs.

    Returns:
        The numbers of the faces, (count,) each: evenly spaced by how open the mouth is, shut first.
    """
    by_mouth = np.argsort(first[:, CUES.index("mouth open")])
    chosen = by_mouth[np.linspace(0, len(by_mouth) - 1, count).round().astype(int)]
    distances = np.linalg.norm(first[chosen, None] - second[None], axis=2)
    return chosen, distances.argmin(1)


def likeness_of(first: Floats, second: Floats) -> Floats:
    """Return Pearson's r of pairs of codes, (N, CODE) each: (N,), 1 where all numbers rise and fall together."""
    one, two = (codes - codes.mean(1, keepdims=True) for codes in (first, second))
    return np.asarray((one * two).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)))


@dataclass(frozen=True)
class Flat:
    """The straight-line autoencoder: a mean face plus so much of each of a few fixed pictures (PCA).

    Attributes:
        mean: (P,) the mean picture, flattened.
        parts: (K, P) the pictures that are added, each of length 1, the most useful first.
        side: Of the pictures.
    """

    mean: Floats
    parts: Floats
    side: int

    @classmethod
    def learn(cls, faces: FaceSet, side: int, numbers: int = NUMBERS) -> Flat:
        """Learn from one person's faces, in a second: no other `numbers` pictures come nearer to them."""
        pictures = faces.inner(side).reshape(len(faces), -1).astype(np.float32)
        mean = pictures.mean(0)
        # The left side of the singular value decomposition: there are far fewer pictures than pixels, so the small
        # square of all products between pictures is decomposed instead (Sirovich and Kirby 1987).
        rest = pictures - mean
        values, mixing = np.linalg.eigh(rest @ rest.T)
        best = np.argsort(-values)[: min(numbers, len(faces) - 1)]
        parts = mixing[:, best].T @ rest
        return cls(mean, parts / np.linalg.norm(parts, axis=1, keepdims=True), side)

    def draw(self, faces: FaceSet) -> Image:
        """Write faces as numbers and draw them again: uint8 RGB (N, side, side, 3)."""
        pictures = faces.inner(self.side).reshape(len(faces), -1) - self.mean
        drawn = self.mean + (pictures @ self.parts.T) @ self.parts
        return np.clip(drawn + 0.5, 0, 255).astype(np.uint8).reshape(len(faces), self.side, self.side, 3)


def train_few(faces: FaceSet, body: FaceSet, *, count: int = 8, seconds: float = 15.0) -> tuple[Swapper, FaceSet]:
    """Train a swap on very few faces of each person, for a short time.

    Returns:
        What was learned, and the few faces of person 0.
    """
    from memegen.swap.training import train_swap

    few, others = faces.few(count), body.few(count)
    with closing(train_swap(few, others, minutes=seconds / 60)) as states:
        for state in states:
            last = state
    return last.swapper, few
