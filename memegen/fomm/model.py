"""The learned engine: numpy pictures in and out, the networks in between."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memegen.base.arrays import Image
from memegen.base.errors import InputError, UnavailableError
from memegen.fomm.checkpoint import Networks
from memegen.fomm.compute import Compute, choose_compute
from memegen.fomm.dense_motion import Motion, sparse_motion
from memegen.fomm.generator import EncodedSource
from memegen.fomm.keypoints import Keypoints, movement_scale, relative_motion, with_gains
from memegen.fomm.openvino_decoder import OpenVinoDecoder
from memegen.fomm.speedups import fuse

ArrayKeypoints = Keypoints[NDArray[np.float32]]
MovementScale = float | Literal["auto"]
Result = TypeVar("Result")

SIZE = 256
"""Side in pixels of the crops that all published checkpoints were trained on."""


class FommInternals(NamedTuple):
    """What the networks compute on the way to N frames; K keypoints, h and w of the motion are H/4 and W/4.

    Attributes:
        source: float32 keypoints of the photo, N = 1.
        driving: float32 keypoints of the driver.
        moved: float32 keypoints that the photo's subject is shown with.
        sparse_motion: (N, K + 1, h, w, 2) float32 x, y in [-1, 1], as `dense_motion.sparse_motion`.
        masks: (N, K + 1, h, w) float32, as in `Motion`.
        deformation: (N, h, w, 2) float32, as in `Motion`.
        occlusion_map: (N, h, w) float32 in [0, 1], as in `Motion`.
        features: (C, H/4, W/4) float32, the photo as the generator's encoder sees it.
        warped: (N, C, H/4, W/4) float32, the same moved and faded (Eq. 8): what the decoder gets.
        frames: (N, H, W, 3) uint8 RGB.
    """

    source: ArrayKeypoints
    driving: ArrayKeypoints
    moved: ArrayKeypoints
    sparse_motion: NDArray[np.float32]
    masks: NDArray[np.float32]
    deformation: NDArray[np.float32]
    occlusion_map: NDArray[np.float32]
    features: NDArray[np.float32]
    warped: NDArray[np.float32]
    frames: Image


class FommModel:
    """Animates square crops with the networks of one checkpoint.

    The networks passed in are rewritten for speed and moved to the device: they belong to the animator afterwards.

    Args:
        networks: as `load_networks` gives them.
        compute: device and precision; by default the fastest there is.
    """

    def __init__(self, networks: Networks, *, compute: Compute | None = None) -> None:
        self.name = networks.name
        self.compute = compute or choose_compute()
        self._detector = fuse(networks.detector).to(self.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        in_torch = self.compute.backend == "torch"
        self._generator = fuse(networks.generator, winograd=self.compute.winograd and in_torch)
        self._generator.to(self.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._render: Callable[[Tensor], Tensor] = self._generator.render
        if in_torch:
            self._generator.set_decoder_dtype(self.compute.dtype)
        else:
            self._render = OpenVinoDecoder(self._generator, compute=self.compute)

    @property
    def keypoints_key(self) -> str:
        """16 hexadecimal digits that differ from checkpoint to checkpoint, to name files of kept `keypoints` by."""
        head: Tensor = self._detector.kp.weight
        return sha256(head.cpu().numpy().tobytes()).hexdigest()[:16]

    def keypoints(self, crops: Iterable[Image]) -> ArrayKeypoints:
        """Keypoints of a whole clip, to be kept and given to `animate_keypoints` for one photo after another.

        Args:
            crops: uint8 RGB (H, W, 3), all of one size.

        Returns:
            float32 keypoints of N frames, 240 bytes a frame.

        Raises:
            InputError: there are no frames, or not of the kind asked for.
        """
        batches = list(self._detected(crops))
        if not batches:
            raise InputError("The driving clip has no frames.")
        return _joined(batches)

    def animate_crops(
        self,
        source_crop: Image,
        driving_crops: Iterable[Image],
        *,
        relative: bool = True,
        scale: MovementScale = "auto",
        best_frame: int = 0,
        expression: float = 1.0,
        motion: float = 1.0,
    ) -> Iterator[Image]:
        """Show the photo's subject making the driver's movements.

        Memory does not grow with the clip: driving frames become keypoints as they come, and each output frame depends
        only on its own and the best frame's keypoints.

        Args:
            source_crop: the photo, uint8 RGB (H, W, 3); `SIZE` squared is what checkpoints were trained on.
            driving_crops: the driver's frames, of the same kind.
            relative: carry over movement since the best frame; otherwise take the driver's keypoints as they are.
            scale: factor on relative shifts; "auto" makes up for subjects of different size.
            best_frame: index of the driving frame whose pose is nearest the photo's.
            expression: gain of the driver's expression since the best frame; 1 is as driven.
            motion: gain of the driver's head motion since the best frame; 1 is as driven.

        Yields:
            uint8 RGB frames of the photo's size, one for each driving frame.

        Raises:
            InputError: crops of the wrong kind, a best frame beyond the end, or a checkpoint that gives no numbers.
            UnavailableError: the device has too little memory even for a single frame.
        """
        batches = self._detected(driving_crops)
        gains = {"expression": expression, "motion": motion}
        yield from self._animated(source_crop, batches, gains, relative=relative, scale=scale, best_frame=best_frame)

    def animate_keypoints(
        self,
        source_crop: Image,
        driving: ArrayKeypoints,
        *,
        relative: bool = True,
        scale: MovementScale = "auto",
        best_frame: int = 0,
        expression: float = 1.0,
        motion: float = 1.0,
    ) -> Iterator[Image]:
        """As `animate_crops`, for a driver whose `keypoints` are known."""
        batches = iter([driving])
        gains = {"expression": expression, "motion": motion}
        yield from self._animated(source_crop, batches, gains, relative=relative, scale=scale, best_frame=best_frame)

    @torch.inference_mode()
    def explain(
        self,
        source_crop: Image,
        driving_crops: Iterable[Image],
        *,
        relative: bool = True,
        scale: MovementScale = "auto",
        best_frame: int = 0,
    ) -> FommInternals:
        """Keep what `animate_crops` computes on the way; for a few frames, as all of it is held in memory.

        Raises:
            InputError: as `animate_crops`.
        """
        driving = self.keypoints(driving_crops)
        how: dict[str, Any] = {"relative": relative, "scale": scale, "best_frame": best_frame}
        frames = np.stack(list(self.animate_keypoints(source_crop, driving, **how)))
        source = self._encoded(source_crop)
        still, (initial, _) = _to_arrays(source.keypoints), _initial(iter([driving]), best_frame)
        moved = self._moved(still, driving, initial, scale) if relative else driving
        there = self._tensors(moved)
        with _exact():
            motion = self._generator.dense_motion_network(source.small, source.keypoints, there)
        height, width = source.small.shape[2:]
        return FommInternals(
            still,
            driving,
            moved,
            _to_array(sparse_motion(source.keypoints, there, height=height, width=width)),
            _to_array(motion.masks),
            _to_array(motion.deformation),
            _to_array(motion.occlusion_map[:, 0]),
            _to_array(source.features[0]),
            _to_array(self._generator.warp(source.features, motion)),
            frames,
        )

    def _animated(
        self,
        source_crop: Image,
        batches: Iterator[ArrayKeypoints],
        gains: dict[str, float],
        *,
        relative: bool,
        scale: MovementScale,
        best_frame: int,
    ) -> Iterator[Image]:
        source = self._encoded(source_crop)
        still = _to_arrays(source.keypoints)
        initial, batches = _initial(batches, best_frame)
        parts = _Parts(self.compute.batch)
        for batch in batches:
            own = batch if set(gains.values()) == {1.0} else with_gains(batch, initial=initial, **gains)
            moved = self._moved(still, own, initial, scale) if relative else own
            for frames in parts.of(moved, step=lambda part: self._drawn(source, part)):
                yield from frames

    @staticmethod
    def _moved(
        still: ArrayKeypoints, driving: ArrayKeypoints, initial: ArrayKeypoints, scale: MovementScale
    ) -> ArrayKeypoints:
        factor = movement_scale(still, initial) if scale == "auto" else float(scale)
        return relative_motion(still, driving, initial=initial, scale=factor)

    def _detected(self, crops: Iterable[Image]) -> Iterator[ArrayKeypoints]:
        """Keypoints of the crops, batch by batch as they come."""
        iterator, parts = iter(crops), _Parts(self.compute.batch)
        while batch := list(islice(iterator, self.compute.batch)):
            for crop in batch:
                self._check(crop)
            yield from parts.of(np.stack(batch), step=self._found)

    def _check(self, crop: Image) -> None:
        step = self._generator.step
        if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8:
            raise InputError(f"A crop must be uint8 RGB (height, width, 3), not {crop.dtype} {crop.shape}.")
        if crop.shape[0] % step or crop.shape[1] % step:
            raise InputError(
                f"A crop of {crop.shape[1]}x{crop.shape[0]} pixels does not fit the networks: "
                f"its sides must be multiples of {step}, best {SIZE}x{SIZE}."
            )

    @torch.inference_mode()
    def _encoded(self, crop: Image) -> EncodedSource:
        self._check(crop)
        image = self._image(crop[None])
        with _exact():
            return self._generator.encode(image, self._detector(image))

    @torch.inference_mode()
    def _found(self, crops: Image) -> ArrayKeypoints:
        with _exact():
            return _to_arrays(self._detector(self._image(crops)))

    @torch.inference_mode()
    def _drawn(self, source: EncodedSource, driving: ArrayKeypoints) -> Image:
        with _exact():
            motion = self._generator.dense_motion_network(source.small, source.keypoints, self._tensors(driving))
        parts = zip(*(part.split(self.compute.decode) for part in motion), strict=True)
        warped = (self._generator.warp(source.features, Motion(*part)) for part in parts)
        picture = torch.cat([self._render(features) for features in warped])
        if not bool(torch.isfinite(picture).all()):
            raise InputError(
                f"The checkpoint {self.name} gave pictures that are not numbers: its file is damaged, or "
                f"{str(self.compute.dtype).removeprefix('torch.')} is too coarse for it (then ask for float32)."
            )
        frames: Image = (picture * 255).round().to(torch.uint8).movedim(1, -1).contiguous().cpu().numpy()
        return frames

    def _tensors(self, keypoints: ArrayKeypoints) -> Keypoints[Tensor]:
        return Keypoints(*(torch.from_numpy(part).float().to(self.compute.device) for part in keypoints))

    def _image(self, crops: Image) -> Tensor:
        """(N, H, W, 3) uint8 as (N, 3, H, W) float32 in [0, 1] on the device, channels last in memory."""
        return torch.from_numpy(crops).to(self.compute.device).movedim(-1, 1).float() / 255


class _Parts:
    """Takes batches in parts that fit the device's memory: smaller ones from the first failure on."""

    def __init__(self, size: int) -> None:
        self.size = size

    def of(self, batch: Any, *, step: Callable[[Any], Result]) -> Iterator[Result]:
        """`step` of consecutive parts of a batch, an array or keypoints."""
        count, start = len(batch[0]) if isinstance(batch, Keypoints) else len(batch), 0
        while start < count:
            cut = slice(start, start + self.size)
            part = Keypoints(*(a[cut] for a in batch)) if isinstance(batch, Keypoints) else batch[cut]
            try:
                result = step(part)
            except torch.cuda.OutOfMemoryError as error:
                self._shrink(error)
                continue
            start += self.size
            yield result

    def _shrink(self, error: Exception) -> None:
        if self.size == 1:
            raise UnavailableError(
                "The GPU has too little free memory for even a single frame: close what else uses it, "
                "or run on the CPU (--device cpu)."
            ) from error
        self.size //= 2
        torch.cuda.empty_cache()


def _exact() -> Any:
    """Keeps Nvidia GPUs from rounding float32 to 10 bits."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _to_array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array


def _to_arrays(keypoints: Keypoints[Tensor]) -> ArrayKeypoints:
    return Keypoints(*map(_to_array, keypoints))


def _joined(batches: list[ArrayKeypoints]) -> ArrayKeypoints:
    return Keypoints(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _initial(batches: Iterator[ArrayKeypoints], index: int) -> tuple[ArrayKeypoints, Iterator[ArrayKeypoints]]:
    """Keypoints of one frame of a stream, and the stream again from its beginning."""
    seen: list[ArrayKeypoints] = []
    count = 0
    while count <= index or not seen:
        batch = next(batches, None)
        if batch is None:
            raise InputError(
                f"The best frame {index} is beyond the driving clip's end: it has {count} frames."
                if count
                else "The driving clip has no frames."
            )
        seen.append(batch)
        count += len(batch.value)
    value, jacobian = _joined(seen)
    return Keypoints(value[index : index + 1], jacobian[index : index + 1]), chain(seen, batches)
