"""An invisible mark in the frames: "made with memegen" and a number of 32 bits, read back from copies of a clip.

Spread spectrum: Cox, Kilian, Leighton, Shamoon, "Secure spread spectrum watermarking for multimedia", 1997. A fixed
pseudo-random pattern of 128 x 128 soft chips is stretched over the picture and added to every frame.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError

SMALLEST = 160  # pixels; a frame with a shorter side is left unmarked, because nothing could be read back
FALSE_ALARM = 1e-6  # an unmarked clip is taken for a marked one less often than this

_GRID = 128  # chips along each side of the picture, whatever its shape
_SIDE = 2 * _GRID  # pixels along each side of the picture in which the mark is searched for
_SYMBOLS, _BITS = 2, 20  # the payload and its checksum as two symbols
_SYNC = _GRID * _GRID // 4  # chips that are the same in all clips and show where the picture lies
_LENGTH = (_GRID * _GRID - _SYNC) // _SYMBOLS  # chips of a symbol
_SIDES, _FLAT = (256, 480, 1080), (2.0, 1.4, 1.0)  # grey levels in flat parts, by the frame's shorter side
_GAIN, _MOST = 0.25, 6.0  # grey levels: more per level of texture, and at most
_ZERO = 128  # stands for no change where changes are held as uint8
_LOUDNESS = 2.35  # grey levels at the chips' peaks, root mean square over a frame at most: PSNR above 42 dB
_SCALES = np.arange(1.0, 0.795, -0.01)  # parts of the width and of the height, left by a crop, that are tried
_CANDIDATES = 8  # best positions of the search that are refined
_MOVES = np.array([(1, 0, 0, 0), (0, 1, 0, 0), (-1, 0, 2, 0), (0, -1, 0, 2)])  # shift or grow a window
_PROMISING = 4.5  # fit of the sync from which decoding is tried
# By how many places the chance of a false alarm is multiplied. Half of what is allowed goes to the whole picture and
# its mirror image; the rest to all places of the search, of which there are fewer than 2^23, refined ones included.
_WHOLE, _SEARCHED = 2.0**2, 2.0**24


@dataclass(frozen=True)
class Detection:
    """A mark that was found.

    Attributes:
        payload: The number that was embedded, 0 to 2^32 - 1.
        false_alarm: Upper bound of the probability that an unmarked clip gives this result.
        frames: How many frames were searched.
        scale: Part of the marked picture's width and height that the frames show; less than 1 when it was cropped.
        offset: Where in the marked picture the frames begin, left and top, as parts of its width and height.
        mirrored: Whether left and right are swapped; scale and offset hold for the frames turned back.
    """

    payload: int
    false_alarm: float
    frames: int
    scale: tuple[float, float]
    offset: tuple[float, float]
    mirrored: bool


class _Window(NamedTuple):
    """The part of the marked picture that the frames show, as parts of its width and height."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0


class Watermark:
    """The mark for frames of one size.

    Args:
        payload: The number to carry, 0 to 2^32 - 1.
        size: Width and height of the frames in pixels; if either is below SMALLEST, frames are left unmarked.

    Raises:
        InputError: The payload does not fit in 32 bits, or a side is below one pixel.
    """

    def __init__(self, payload: int, size: tuple[int, int]) -> None:
        if not 0 <= payload < 2**32:
            raise InputError(f"The watermark can't carry {payload}: give a whole number from 0 to 4294967295.")
        if min(size) < 1:
            raise InputError(f"A frame can't be {size[0]} x {size[1]} pixels: give its width and height.")
        self._size = size
        # Chips are several pixels wide, so the changes are computed on every n-th pixel only.
        self._step = max(1, min(size) // 256)
        self._flat = float(np.interp(min(size), _SIDES, _FLAT))
        rows = np.minimum(np.arange(0, size[1], self._step) + self._step // 2, size[1] - 1)
        self._pattern = _stretched(_chips(payload), (-(-size[0] // self._step), size[1]))[rows]
        # Fixed noise rounds up or down by chance, so that fractions of a grey level count on average too.
        noise = np.frombuffer(hashlib.shake_128(b"memegen rounding").digest(self._pattern.size), np.uint8)
        self._rounding = _ZERO + noise.reshape(self._pattern.shape).astype(np.float32) / 256

    def apply(self, frame: Image) -> Image:
        """Return a marked copy of a frame.

        Args:
            frame: uint8 RGB (H, W, 3) of the size given.

        Raises:
            InputError: The array is of another kind or size.
        """
        _check(frame, self._size)
        if min(self._size) < SMALLEST:
            return frame.copy()
        frame, marked = np.ascontiguousarray(frame), np.empty(frame.shape, np.uint8)
        lighter, darker = self._changes(frame)
        for row in range(self._step):  # the changes of one row also serve the rows up to the next sample
            before, after = frame[row :: self._step], marked[row :: self._step]
            # OpenCV saturates, so black and white never wrap around.
            cv2.add(before, lighter[: len(before)], after)
            cv2.subtract(after, darker[: len(before)], after)
        return marked

    def _changes(self, frame: Image) -> tuple[Image, Image]:
        """Return how much lighter and how much darker each pixel gets, for one row of each step, (h, W, 3)."""
        # Green stands for brightness: it makes up most of it and is already there.
        change = self._pattern * _strength(frame[:: self._step, :: self._step, 1].copy(), self._flat)
        change += self._rounding
        size = (self._size[0], len(change))
        grey = cv2.resize(change.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        parts = (cv2.subtract(grey, _ZERO), cv2.subtract(_ZERO, grey))  # each is 0 where the other is not
        lighter, darker = (np.asarray(cv2.cvtColor(part, cv2.COLOR_GRAY2RGB), np.uint8) for part in parts)
        return lighter, darker


def embed(frames: Iterable[Image], payload: int) -> Iterator[Image]:
    """Mark a clip, frame by frame.

    Args:
        frames: uint8 RGB (H, W, 3) or RGBA (H, W, 4), all of one size; if a side is below SMALLEST, they are passed on
            unmarked.
        payload: The number to carry, 0 to 2^32 - 1.

    Yields:
        As many frames of the same kind, each a new array.

    Raises:
        InputError: The payload does not fit in 32 bits, or a frame is of another kind or size.
    """
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        return
    _check(first[..., :3], None)
    mark = Watermark(payload, (first.shape[1], first.shape[0]))
    for frame in chain([first], rest):
        colours = mark.apply(frame[..., :3])
        yield np.dstack([colours, frame[..., 3]]) if frame.shape[2:] == (4,) else colours


def detect(frames: Iterable[Image]) -> Detection | None:
    """Search for the mark.

    Every frame adds to the evidence; two or three a second of a few seconds are mostly enough.

    Args:
        frames: uint8 RGB (H, W, 3); sizes may differ.

    Returns:
        What was found, or None: then the clip was never marked, or the mark is lost.

    Raises:
        InputError: A frame is of another kind.
    """
    evidence, count = _evidence(frames)
    if not evidence.any():  # no frames, or all of them flat
        return None
    sides = {False: evidence, True: np.ascontiguousarray(evidence[:, ::-1])}
    for mirrored, side in sides.items():
        if found := _decode(side, _Window(), _WHOLE):
            return replace(found, frames=count, mirrored=mirrored)
    tries = [(score, window, mirrored) for mirrored, side in sides.items() for score, window in _search(side)]
    for _, window, mirrored in sorted(tries, reverse=True)[:_CANDIDATES]:
        window, fit = _refined(sides[mirrored], window)
        if fit > _PROMISING and (found := _decode(sides[mirrored], window, _SEARCHED)):
            return replace(found, frames=count, mirrored=mirrored)
    return None


# The pattern


@lru_cache(maxsize=1)
def _order() -> NDArray[np.int64]:
    """Return where on the grid each chip lies: first those of the sync, then those of each symbol."""
    keys = np.frombuffer(hashlib.shake_128(b"memegen order").digest(8 * _GRID * _GRID), "<u8")
    return np.argsort(keys, kind="stable")


@lru_cache
def _signs(name: bytes, *shape: int) -> Floats:
    """Return pseudo-random signs, -1 or 1, from a hash: the same on every machine and in every version."""
    data = np.frombuffer(hashlib.shake_128(name).digest(math.prod(shape) // 8), np.uint8)
    return np.unpackbits(data).reshape(shape).astype(np.float32) * 2 - 1


_sync = partial(_signs, b"memegen sync", _SYNC)  # returns the chips that are the same in all clips, (4096,)


@lru_cache(maxsize=1)
def _code() -> tuple[NDArray[np.int64], Floats]:
    """Return the random linear code: which of a symbol's 20 bits each chip sums up, (2, 6144), and its sign."""
    bits = np.frombuffer(hashlib.shake_128(b"memegen code").digest(4 * _SYMBOLS * _LENGTH), "<u4")
    looks = (bits >> (32 - _BITS)).reshape(_SYMBOLS, _LENGTH).astype(np.int64)
    return looks, _signs(b"memegen scrambling", _SYMBOLS, _LENGTH)


def _coded(payload: int) -> int:
    """Return the payload with its checksum: 40 bits."""
    return payload << 8 | zlib.crc32(payload.to_bytes(4, "big")) & 255


def _sequence(coded: int) -> Floats:
    """Return all chips for 40 bits, in the order of their numbers: (16384,) of -1 or 1."""
    looks, scrambling = _code()
    symbols = np.array([[coded >> _BITS * k & 2**_BITS - 1] for k in range(_SYMBOLS)])
    return np.concatenate([_sync(), (scrambling * _parity(np.bitwise_and(looks, symbols))).ravel()])


def _parity(numbers: NDArray[np.int64]) -> Floats:
    """Return 1 for a number with an even count of bits that are set, -1 for an odd count."""
    for shift in (16, 8, 4, 2, 1):  # fold each number onto its lowest bit
        numbers = numbers ^ numbers >> shift
    return (1 - 2 * (numbers & 1)).astype(np.float32)


def _symbol(chips: Floats, looks: NDArray[np.int64]) -> int:
    """Return which of the 2^20 words fits a symbol's unscrambled chips best, without any rounding of the chips."""
    # Sum up the chips that look at the same bits; the fit of every word is then one Walsh-Hadamard transform.
    fits: Floats = np.bincount(looks, chips, minlength=2**_BITS).astype(np.float32)
    # The matrix for 20 bits is the Kronecker product of four for 5 bits: apply one to each axis in turn.
    rows: NDArray[np.int64] = np.arange(32)
    hadamard = _parity(np.bitwise_and(rows[:, None], rows))
    for _ in range(_BITS // 5):
        fits = (fits.reshape(-1, 32) @ hadamard).T.ravel()
    return int(fits.argmax())


def _placed(sequence: Floats) -> Floats:
    """Lay chips, or the first of them, out on the grid: (128, 128), 0 where none is."""
    grid = np.zeros(_GRID * _GRID, np.float32)
    grid[_order()[: len(sequence)]] = sequence
    return grid.reshape(_GRID, _GRID)


def _chips(payload: int) -> Floats:
    """Return the grid of chips for a payload."""
    return _placed(_sequence(_coded(payload)))


def _stretched(chips: Floats, size: tuple[int, int]) -> Floats:
    """Stretch a grid of chips over a picture, with soft edges: (H, W), about -1 to 1."""
    stretched = cv2.resize(chips, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(stretched, -1.2, 1.2), np.float32)


def _strength(luma: Image, flat: float) -> Floats:
    """Return by how many grey levels the mark may change each sample, float32 (h, w)."""
    texture = cv2.blur(cv2.absdiff(luma, cv2.blur(luma, (5, 5))), (7, 7))
    # Texture hides the mark, but next to an edge the flat side shows it: only texture all around counts.
    around = cv2.erode(texture, np.ones((5, 5), np.uint8))
    levels = np.minimum(flat + _GAIN * np.arange(256), _MOST).astype(np.float32)
    strength: Floats = np.asarray(cv2.LUT(around, levels), np.float32)
    strength *= min(_LOUDNESS * math.sqrt(strength.size) / cv2.norm(strength), 1)
    return strength


def _check(frame: Image, size: tuple[int, int] | None) -> None:
    """Refuse what is not a frame, or not of the expected size."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise InputError(f"A frame is {frame.dtype} {frame.shape}: give uint8 RGB, (height, width, 3).")
    if size not in (None, (now := (frame.shape[1], frame.shape[0]))):
        raise InputError(f"A frame is {now[0]} x {now[1]}, the first {size[0]} x {size[1]}: give all the same size.")


# The search


def _evidence(frames: Iterable[Image]) -> tuple[Floats, int]:
    """Return what may be the mark, averaged over the frames, (256, 256) without scale; and how many frames."""
    total, count = np.zeros((_SIDE, _SIDE), np.float32), 0
    for frame in frames:
        _check(frame, None)
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        # One size for all: the pattern belongs to the whole picture, so copies of any size line up.
        small = np.asarray(cv2.resize(luma, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
        rest = _high_pass(small)
        total += rest / (np.abs(rest) + 2)  # soft limit: an edge counts little more than the mark
        count += 1
    return _whitened(total / np.float32(max(count, 1))), count


def _high_pass(picture: Floats) -> Floats:
    """Take away all that is coarser than the chips."""
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), _SIDE / _GRID), np.float32)


def _whitened(rest: Floats) -> Floats:
    """Weigh each part of the picture, and then each frequency, by how little else it holds."""
    rest = _high_pass(rest)
    # Divide by the local spread twice: once to level the parts, once because busy parts are less reliable.
    spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), 3.0 * _SIDE / _GRID)) + 0.1
    waves = np.fft.fftshift(np.fft.fft2(np.clip(rest / spread, -3, 3) / spread))
    # A matched filter in coloured noise divides by the noise's power spectrum, here the smoothed spectrum itself.
    power = cv2.GaussianBlur((np.abs(waves) ** 2).astype(np.float32), (0, 0), 4.0)
    waves /= power + 0.3 * power.max() + 1e-9
    whitened = np.fft.ifft2(np.fft.ifftshift(waves)).real.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(whitened, (0, 0), 0.4 * _SIDE / _GRID), np.float32)  # encoders lose the finest


def _search(evidence: Floats) -> list[tuple[float, _Window]]:
    """Return for each shown width and height the place where the sync fits best, and how well."""
    sync = cv2.dft(_stretched(_placed(_sync()), (_SIDE, _SIDE)))
    found = []
    for height in _SCALES:
        for width in _SCALES:
            w, h = round(width * _SIDE), round(height * _SIDE)
            shown = np.zeros((_SIDE, _SIDE), np.float32)
            shown[:h, :w] = cv2.resize(evidence, (w, h), interpolation=cv2.INTER_LINEAR)
            # The correlation with the sync at every shift at once, by the convolution theorem.
            fit = cv2.idft(cv2.mulSpectrums(sync, cv2.dft(shown), 0, conjB=True), flags=cv2.DFT_SCALE)
            _, best, _, (x, y) = cv2.minMaxLoc(fit[: _SIDE - h + 1, : _SIDE - w + 1])
            window = _Window(x / _SIDE, y / _SIDE, w / _SIDE, h / _SIDE)
            found.append((best / float(np.linalg.norm(shown)), window))
    return found


def _sampled(evidence: Floats, window: _Window) -> Floats:
    """Read the chips, in the order of their numbers, (16384,); 0 where the window does not show them."""
    x, y = window.width, window.height
    left, top = window.left * _SIDE, window.top * _SIDE
    # From evidence to the whole picture; (x - 1) / 2 keeps the centres of pixels, not their corners, in place.
    place = np.array([[x, 0, left + (x - 1) / 2], [0, y, top + (y - 1) / 2]])
    whole = cv2.warpAffine(evidence, place, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
    chips = cv2.resize(whole, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(chips.ravel()[_order()], np.float32)


def _fit(chips: Floats, signs: Floats) -> float:
    """Return the normalised sum z of chips by their signs: of variance 1 where there is no mark."""
    chips = chips[: len(signs)]
    return float(chips @ signs) / (float(np.linalg.norm(chips)) + 1e-9)


def _refined(evidence: Floats, window: _Window) -> tuple[_Window, float]:
    """Move a window's edges by fractions of a pixel to where the sync fits best; also return how well."""
    best = _fit(_sampled(evidence, window), _sync())
    for step in (0.6 / _SIDE, 0.3 / _SIDE, 0.15 / _SIDE):
        for move in (*_MOVES, *-_MOVES) * 2:
            other = _Window(*(window + step * move).tolist())
            fit = _fit(_sampled(evidence, other), _sync())
            if fit > best:
                best, window = fit, other
    return window, best


def _decode(evidence: Floats, window: _Window, places: float) -> Detection | None:
    """Read the payload at a place, one of so many tried; None if it is not there beyond doubt."""
    chips = _sampled(evidence, window)
    looks, scrambling = _code()
    parts = chips[_SYNC:].reshape(_SYMBOLS, _LENGTH) * scrambling
    coded = sum(_symbol(part, look) << _BITS * k for k, (part, look) in enumerate(zip(parts, looks, strict=True)))
    fit = max(_fit(chips, _sequence(coded)), 0.0)
    # The signs are random and independent of the clip, so z exceeds t with a probability below exp(-t^2 / 2)
    # (Hoeffding 1963); times all payloads and places, this bounds the chance of a false alarm.
    false_alarm = min(1.0, math.exp(min(0.0, math.log(places * 2.0**32) - fit**2 / 2)))
    if false_alarm > FALSE_ALARM or _coded(coded >> 8) != coded:
        return None
    return Detection(coded >> 8, false_alarm, 0, (window.width, window.height), (window.left, window.top), False)
