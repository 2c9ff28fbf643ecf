"""The training of a swap: a generator that says how far it is, and that can be stopped, killed and taken up again."""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from memegen.base.arrays import Floats, Image
from memegen.base.devices import Device
from memegen.base.errors import InputError
from memegen.base.files import expanded
from memegen.face.cropping import soft_mask
from memegen.face.topology import EYE_LIDS, LIPS, LOWER_LIP
from memegen.swap.capacity import Capacity, choose_capacity
from memegen.swap.cues import CUES, OPENINGS, measure
from memegen.swap.faces import MARGIN, SIDE, FaceSet
from memegen.swap.networks import Autoencoders
from memegen.swap.swapper import Swapper, load_training, save_swapper

LEARNING_RATE = 6e-4
BETAS = 0.5, 0.999  # of Adam: the short memory of the gradient that is usual for networks that draw
NAMING, MASKING = 0.005, 0.1  # weights of the measured numbers of the code and of the mask, beside the picture
EDGES = 0.5  # weight of differences between neighbouring pixels, beside that of the pixels
FOCUS = 3.0  # how much more eyes and lips count than the rest of the face
AROUND = 0.1  # and how much what is around the face
TOTAL = 1 + FOCUS + AROUND  # the most that a pixel counts
SOFT = 0.02  # blur of the edges of these, over the crop's side
RARE = 30.0  # how much more often a face with unusual openings is chosen, at most
TURN, GROWTH, SHIFT = 6.0, 0.04, 0.05  # largest changes of a crop: degrees, a part of it, a part of half its side
BEND, NODES = 0.05, 5  # spread of local bends over half the side, and their control points along each side
AVERAGED, WARMING = 0.99, 10  # of the weights before in the average that is used, and steps until then
SHOWN = 20  # steps between two states
SAVED = 30.0  # seconds between two checkpoints
LATELY = 100  # steps over which losses are averaged
STAGNANT, LEAST_GAIN = 1000, 0.01  # steps in which the losses have to fall by a part
SUFFIX = ".safetensors"
PREVIEW = 5  # faces in a row of the preview
MOMENTS, NEWEST = "adam.", "newest."  # begin the names of what only the training needs, in a checkpoint


class TrainingState(NamedTuple):
    """How far a training is.

    Attributes:
        swapper: What was learned so far; its networks go on to learn with the training.
        losses: Mean error of the colours of each person's face, 0 to 1, over the last steps; nan before the first.
        ended: Why the training ends, in words; empty while it goes on.
        samples: Some faces of each person.
    """

    swapper: Swapper
    losses: tuple[float, float]
    ended: str
    samples: tuple[FaceSet, FaceSet]

    def preview(self) -> Image:
        """Lay out faces in six rows, uint8 RGB.

        They are: person 0, the same drawn by its own decoder, and by that of person 1; then person 1 likewise.
        """
        rows = []
        for who, faces in enumerate(self.samples):
            shown = faces.inner(self.swapper.side)
            codes = self.swapper.encode(shown)
            rows += [shown, *(self.swapper.draw(codes, one)[..., :3] for one in (who, 1 - who))]
        return np.vstack([np.hstack([*row]) for row in rows])


def train_swap(
    faces: FaceSet,
    body: FaceSet,
    *,
    minutes: float = 5.0,
    steps: int | None = None,
    checkpoint: str | Path | None = None,
    device: Device = "auto",
) -> Generator[TrainingState, None, None]:
    """Train the networks of a swap, from the beginning or from a checkpoint.

    Stop it by leaving the loop: what was learned is saved then, too.

    Args:
        faces: Whose face is to be seen, person 0.
        body: Whose place it takes, person 1.
        minutes: After how much training it ends, that of earlier runs included.
        steps: Or after how many steps.
        checkpoint: The `.safetensors` file to go on from, if it exists, and to save to every half minute and at the
            end. None keeps nothing.
        device: Where to compute.

    Yields:
        How far it is, every few steps; the last state says why it ended: by time, by steps, or because the losses no
        longer fall.

    Raises:
        InputError: The checkpoint can't be read, is that of other faces, or does not end in .safetensors.
        OutputError: The checkpoint can't be written.
        UnavailableError: The device is not there.
    """
    training = _Training((faces, body), device, _checked(checkpoint) if checkpoint else None)
    ended, saved = "", -math.inf  # at once, so that a folder that can't be written is told before the work
    try:
        while not ended:
            ended = training.why_ended(minutes, steps)
            if ended or training.steps % SHOWN == 0:
                yield training.state(ended)
            if not ended:
                training.step()
            if time.monotonic() - saved > SAVED:
                training.save()
                saved = time.monotonic()
    finally:
        training.close()


def _checked(checkpoint: str | Path) -> Path:
    """Return the file of a checkpoint; refuse another kind, which would be overwritten."""
    file = expanded(checkpoint)
    if file.suffix != SUFFIX:
        raise InputError(f"The checkpoint {checkpoint} has another ending: name a file that ends in {SUFFIX}.")
    return file


class _Person:
    """One person's faces on the device.

    Args:
        faces: The faces.
        capacity: The size of the pictures, and the device.
        seed: Decides which faces are chosen, and how they are changed.

    Attributes:
        mean: The mean face and mask, (1, 4, side, side) in [0, 1].
    """

    def __init__(self, faces: FaceSet, capacity: Capacity, seed: int) -> None:
        side = round(capacity.side / (1 - 2 * MARGIN))
        small = np.empty((len(faces), 5, side, side), np.uint8)
        for number, one in enumerate(small):
            one[:] = _layers(faces, number, side)
        inner = slice((side - capacity.side) // 2, (side + capacity.side) // 2)
        mean = small[:, :4, inner, inner].mean(0, keepdims=True, dtype=np.float64) / 255
        self.mean = torch.from_numpy(mean).float().to(capacity.device)
        self._pictures = torch.from_numpy(small).to(capacity.device)
        self._random = torch.Generator(capacity.device).manual_seed(seed)
        cues = measure(faces.landmarks)
        self._cues = torch.from_numpy(cues).to(capacity.device)
        # Blinks and wide mouths are rare in most clips: they are chosen more often.
        unusual = np.square(cues - cues.mean(0))[:, OPENINGS].sum(1)
        self._chances = torch.from_numpy(1 + np.minimum(unusual, RARE)).to(capacity.device)

    def batch(self, count: int, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Choose faces and change each a little.

        Returns:
            Bent pictures, (count, 3, side, side) in [0, 1]; the same without bends and with the face's mask,
            (count, 4, side, side); how much their pixels count, (count, 1, side, side); and their cues, (count, 8).
        """
        chosen = torch.multinomial(self._chances, count, replacement=True, generator=self._random)
        pictures = self._pictures[chosen].float() / 255
        straight, bent = _places(count, side, self._random)
        wanted = _sampled(pictures, straight)
        return _sampled(pictures[:, :3], bent), wanted[:, :4], wanted[:, 4:], self._cues[chosen]


class _Training:
    """Networks that are being trained.

    Args:
        people: Both sets of faces.
        device: Where to compute.
        file: The checkpoint.
    """

    def __init__(self, people: tuple[FaceSet, FaceSet], device: Device, file: Path | None) -> None:
        self._file = file
        self._samples = people[0].few(PREVIEW), people[1].few(PREVIEW)
        kept: dict[str, Tensor] = {}
        keys = people[0].key, people[1].key
        if file is not None and file.is_file():
            self._swapper, kept = load_training(file, device=device)
            if self._swapper.people != keys:
                raise InputError(f"{file} is the training of other faces: name another file, or delete it.")
        else:
            self._swapper = _new_swapper(choose_capacity(device), keys)
        self._capacity = self._swapper.capacity
        self.steps, self.seconds = self._swapper.step, self._swapper.seconds
        self._people = [_Person(faces, self._capacity, 2 * self.steps + who) for who, faces in enumerate(people)]
        self._average = self._swapper.networks
        if not self.steps:
            self._average.begin_with([person.mean for person in self._people])
        self._networks = copy.deepcopy(self._average).train()
        self._adam = torch.optim.Adam(self._networks.parameters(), lr=LEARNING_RATE, betas=BETAS)
        self._take_up(kept)
        self._scaler = torch.amp.GradScaler(self._capacity.device, enabled=self._capacity.dtype is torch.float16)
        # Two people, two threads: they wait for each other once a step, and not once in every layer, as torch's own
        # threads do; that crawls where other programs want the cores too.
        self._pool = ThreadPoolExecutor(len(people)) if self._capacity.device == "cpu" else None
        self._each = self._pool.map if self._pool else map
        self._losses: deque[tuple[float, float]] = deque(maxlen=2 * STAGNANT)

    def step(self) -> None:
        """Learn from a few faces of both people."""
        begun = time.perf_counter()
        with _divided(len(self._people)):
            learned = [*self._each(self._learn_from, range(len(self._people)))]
            self._adam.zero_grad(set_to_none=True)
            for weights, gradients, _ in learned:
                for one, gradient in zip(weights, gradients, strict=True):
                    one.grad = gradient if one.grad is None else one.grad + gradient
            self._scaler.step(self._adam)
            self._scaler.update()
            self._follow()
        self._losses.append((learned[0][2], learned[1][2]))
        self.steps += 1
        self.seconds += time.perf_counter() - begun

    def _learn_from(self, who: int) -> tuple[list[Tensor], Sequence[Tensor], float]:
        """Return the encoder's and one decoder's weights, their gradients, and the mean error within the face."""
        size, encoder, decoder = self._capacity, self._networks.encoder, self._networks.decoders[who]
        bent, wanted, weights, cues = self._people[who].batch(size.batch, size.side)
        with size.autocast():
            codes = encoder(bent.contiguous(memory_format=torch.channels_last))
            drawn = decoder(encoder.unfold(codes))
        error = drawn.float() - wanted
        # The first numbers of the code are to be the cues: what the encoder calls an open mouth is then the same for
        # both people, and the decoders have to draw it. Without this a swapped mouth hardly moves.
        naming = F.mse_loss(codes[:, : len(CUES)].float(), cues)
        loss = (error[:, :3].abs() * weights).mean() * TOTAL + MASKING * error[:, 3].abs().mean() + NAMING * naming
        # A blurred face has small errors of colour, but large ones of the differences between neighbours.
        for axis in (2, 3):
            steps = error[:, :3].diff(dim=axis).abs() * weights.narrow(axis, 1, weights.shape[axis] - 1)
            loss = loss + EDGES * TOTAL * steps.mean()
        learning: list[Tensor] = [*encoder.parameters(), *decoder.parameters()]
        gradients = torch.autograd.grad(self._scaler.scale(loss), learning)
        face = wanted[:, 3]
        told = (error[:, :3].detach().abs().mean(1) * face).sum() / face.sum().clamp(min=1)
        return learning, gradients, told.item()

    def close(self) -> None:
        """Save what was learned, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
        self.save()

    def why_ended(self, minutes: float, steps: int | None) -> str:
        """Say why the training has to end; nothing while it goes on."""
        if self.seconds >= 60 * minutes:
            return f"{minutes:g} minutes are over"
        if steps is not None and self.steps >= steps:
            return f"{steps} steps are done"
        before, lately = np.array([*self._losses][:STAGNANT]), np.array([*self._losses][STAGNANT:])
        if len(lately) == STAGNANT and lately.mean() > (1 - LEAST_GAIN) * before.mean():
            return "the faces no longer get better"
        return ""

    def state(self, ended: str) -> TrainingState:
        """Describe how far it is."""
        self._swapper = replace(self._swapper, step=self.steps, seconds=self.seconds)
        first, second = np.mean([*self._losses][-LATELY:] or [(math.nan, math.nan)], axis=0).tolist()
        return TrainingState(self._swapper, (first, second), ended, self._samples)

    def save(self) -> None:
        """Write the checkpoint, if one was asked for."""
        if self._file is not None:
            moments = {
                f"{MOMENTS}{kind}.{name}": self._adam.state[one][kind]
                for name, one in self._networks.named_parameters()
                if one in self._adam.state
                for kind in ("exp_avg", "exp_avg_sq")
            }
            newest = {NEWEST + name: one.detach() for name, one in self._networks.named_parameters()}
            save_swapper(self.state("").swapper, self._file, moments | newest)

    def _take_up(self, kept: dict[str, Tensor]) -> None:
        """Go on where a checkpoint was written: with its newest weights, and Adam's memory of the gradient."""
        for name, one in self._networks.named_parameters():
            if NEWEST + name in kept:
                one.data.copy_(kept[NEWEST + name])
                moments = {kind: kept[f"{MOMENTS}{kind}.{name}"].to(one.device) for kind in ("exp_avg", "exp_avg_sq")}
                self._adam.state[one] = {"step": torch.tensor(float(self.steps)), **moments}

    def _follow(self) -> None:
        """Let the average follow the newest weights; it is smoother, and draws better faces at any moment."""
        share = 1 - min(AVERAGED, (self.steps + 1) / (self.steps + WARMING))
        with torch.no_grad():
            torch._foreach_lerp_([*self._average.parameters()], [*self._networks.parameters()], share)


@contextmanager
def _divided(parts: int) -> Iterator[None]:
    """Let each of so many threads use its part of torch's own threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(before // parts, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _new_swapper(capacity: Capacity, keys: tuple[str, str]) -> Swapper:
    """Make networks that have learned nothing, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = Autoencoders(capacity.side, capacity.width)
    return Swapper(networks.to(capacity.device).eval(), capacity, keys)


def _layers(faces: FaceSet, number: int, side: int) -> NDArray[np.uint8]:
    """Return what is learned of a face, (5, side, side) uint8: RGB, its mask, and how much each pixel counts."""
    mask = faces.mask(number)
    maps = np.stack([255 * mask, 255 / TOTAL * _weights(mask, faces.landmarks[number])], -1)
    parts = faces.crops[number], maps.round().astype(np.uint8)
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in parts]
    return np.moveaxis(np.dstack(small), -1, 0)


def _weights(mask: Floats, points: Floats) -> Floats:
    """Return how much each pixel of a crop counts, (160, 160), given its mask and its landmarks (478, 3)."""
    outlines = [points[[*upper, *lower], :2] for upper, lower in EYE_LIDS]
    outlines.append(points[[*LIPS, *LOWER_LIP[-1]], :2])
    hulls = (cv2.convexHull(outline.astype(np.float32))[:, 0] for outline in outlines)
    details = np.max([soft_mask(hull, (SIDE, SIDE), SOFT * SIDE) for hull in hulls], axis=0)
    return np.asarray(AROUND + mask * (1 + FOCUS * details))


def _sampled(pictures: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(pictures, places, padding_mode="border", align_corners=False)


def _places(count: int, side: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose where pictures are read, within -1 to 1: turned, scaled and shifted a little, and bent besides.

    Returns:
        The places without bends and with them, both (count, side, side, 2).
    """

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=random, device=random.device)

    angle, size = between(-TURN, TURN) * math.pi / 180, between(1 - GROWTH, 1 + GROWTH) * (1 - 2 * MARGIN)
    cos, sin, shift = torch.cos(angle) * size, torch.sin(angle) * size, between(-SHIFT, SHIFT, 2)
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    straight = F.affine_grid(torch.stack(rows, 1), [count, 1, side, side], align_corners=False)
    nodes = BEND * torch.randn(count, 2, NODES, NODES, generator=random, device=random.device)
    bends = F.interpolate(nodes, size=(side, side), mode="bicubic", align_corners=True)
    return straight, straight + bends.permute(0, 2, 3, 1)
