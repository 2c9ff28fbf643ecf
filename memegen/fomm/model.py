"""The networks as one model: numpy pictures in and out, whole clips as streams."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar, Unpack

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
from memegen.fomm.keypoints import Keypoints, Transfer, transfer_motion
from memegen.fomm.speedups import fuse

Array = NDArray[np.float32]
ArrayKeypoints = Keypoints[Array]
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
    sparse_motion: Array
    masks: Array
    deformation: Array
    occlusion_map: Array
    features: Array
    warped: Array
    frames: Image


class FommModel:
    """Animates square crops with the networks of one checkpoint.

    The networks passed in are rewritten for speed and moved to the device: they belong to the model afterwards.

    Args:
        networks: as `load_networks` returns them.
        compute: device and precision; by default the fastest there is.
    """

    def __init__(self, networks: Networks, *, compute: Compute | None = None) -> None:
        self.name = networks.name
        self.compute = compute or choose_compute()
        self._detector, self._generator = (
            fuse(network, winograd=self.compute.winograd).to(self.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in (networks.detector, networks.generator)
        )
        self._generator.set_decoder_dtype(self.compute.dtype)

    @property
    def keypoints_key(self) -> str:
        """16 hexadecimal digits that differ from checkpoint to checkpoint, to name files of stored `keypoints` by."""
        head: Tensor = self._detector.kp.weight
        return sha256(head.cpu().numpy().tobytes()).hexdigest()[:16]

    def keypoints(self, crops: Iterable[Image]) -> ArrayKeypoints:
        """Return the keypoints of a whole clip, to be stored and given to `animate_keypoints` for any number of photos.

        Args:
            crops: uint8 RGB (H, W, 3), all of one size.

        Returns:
            float32 keypoints of N frames, 240 bytes a frame.

        Raises:
            InputError: there are no frames, or crops of the wrong kind.
        """
        batches = list(self._detected(crops))
        if not batches:
            raise InputError("The driving clip has no frames.")
        return _joined(batches)

    def animate_crops(
        self, source_crop: Image, driving_crops: Iterable[Image], *, best_frame: int = 0, **transfer: Unpack[Transfer]
    ) -> Iterator[Image]:
        """Show the photo's subject making the driver's movements.

        Memory does not grow with the clip: driving frames become keypoints as they come, and each output frame depends
        only on its own and the best frame's keypoints.

        Args:
            source_crop: the photo, uint8 RGB (H, W, 3); checkpoints were trained on `SIZE` squared.
            driving_crops: the driver's frames, of the same kind.
            best_frame: index of the driving frame whose pose is nearest the photo's; movements are counted from it.
            **transfer: how the motion is transferred, see `transfer_motion`.

        Yields:
            uint8 RGB frames of the photo's size, one for each driving frame.

        Raises:
            InputError: crops of the wrong kind, a best frame beyond the end, or a checkpoint that gives no numbers.
            UnavailableError: the device has too little memory even for a single frame.
        """
        source, batches = self._encoded(self._checked(source_crop)[None]), self._detected(driving_crops)
        yield from self._animated(source, *_initial(batches, best_frame), **transfer)

    def animate_keypoints(
        self, source_crop: Image, driving: ArrayKeypoints, *, best_frame: int = 0, **transfer: Unpack[Transfer]
    ) -> Iterator[Image]:
        """Do the same as `animate_crops` for a driver whose `keypoints` are known."""
        source = self._encoded(self._checked(source_crop)[None])
        yield from self._animated(source, *_initial(iter([driving]), best_frame), **transfer)

    def reenact(
        self, crops: Sequence[Image], driving: ArrayKeypoints, *, initial: ArrayKeypoints, **transfer: Unpack[Transfer]
    ) -> Iterator[tuple[Image, Image]]:
        """Show a subject that moves by itself making the driver's movements: each crop is the source of one frame.

        Args:
            crops: N frames of the subject, as for `animate_crops`.
            driving: keypoints of the N driving frames that belong to them.
            initial: keypoints of the driving frame that movements are counted from, N = 1.
            **transfer: how the motion is transferred, see `transfer_motion`; "auto" as scale takes that of the first.

        Yields:
            for each crop two uint8 RGB pictures of its size: what the networks make of it with the driver's movement,
            and with none.

        Raises:
            InputError: as `animate_crops`.
            UnavailableError: as `animate_crops`.
        """

        def step(images: Image, *part: Array) -> Iterator[tuple[Image, Image]]:
            source = self._encoded(images)
            own = _to_arrays(source.keypoints)
            moved = transfer_motion(own, Keypoints(*part), initial=initial, **transfer)
            return zip(self._drawn(source, moved), self._drawn(source, own), strict=True)

        images = np.stack([self._checked(crop) for crop in crops]) if crops else np.zeros((0, 0, 0, 3), np.uint8)
        for pictures in _in_parts([(images, *driving)], self.compute.batch, step):
            yield from pictures

    @torch.inference_mode()
    def explain(
        self, source_crop: Image, driving_crops: Iterable[Image], *, best_frame: int = 0, **transfer: Unpack[Transfer]
    ) -> FommInternals:
        """Return all that `animate_crops` computes on the way; for a few frames, as all of it is held in memory.

        Raises:
            InputError: as `animate_crops`.
        """
        source, driving = self._encoded(self._checked(source_crop)[None]), self.keypoints(driving_crops)
        initial, batches = _initial(iter([driving]), best_frame)
        frames = np.stack(list(self._animated(source, initial, batches, **transfer)))
        still = _to_arrays(source.keypoints)
        moved = transfer_motion(still, driving, initial=initial, **transfer)
        there, (height, width) = self._tensors(moved), source.small.shape[2:]
        motion = self._motion(source, there)
        return FommInternals(
            source=still,
            driving=driving,
            moved=moved,
            sparse_motion=_to_array(sparse_motion(source.keypoints, there, height=height, width=width)),
            masks=_to_array(motion.masks),
            deformation=_to_array(motion.deformation),
            occlusion_map=_to_array(motion.occlusion_map[:, 0]),
            features=_to_array(source.features[0]),
            warped=_to_array(self._generator.warp(source.features, motion)),
            frames=frames,
        )

    def _animated(
        self,
        source: EncodedSource,
        initial: ArrayKeypoints,
        batches: Iterable[ArrayKeypoints],
        **transfer: Unpack[Transfer],
    ) -> Iterator[Image]:
        # Keypoints are transferred on the CPU in batches as they come, and drawn in parts that fit the device.
        still = _to_arrays(source.keypoints)
        moved = (transfer_motion(still, batch, initial=initial, **transfer) for batch in batches)
        for frames in _in_parts(moved, self.compute.batch, lambda *part: self._drawn(source, Keypoints(*part))):
            yield from frames

    def _detected(self, crops: Iterable[Image]) -> Iterator[ArrayKeypoints]:
        """Keypoints of the crops, batch by batch as they come."""
        checked = map(self._checked, crops)
        stacks = iter(lambda: list(islice(checked, self.compute.batch)), [])
        return _in_parts(((np.stack(crops),) for crops in stacks), self.compute.batch, self._found)

    def _checked(self, crop: Image) -> Image:
        step = self._generator.step
        if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8:
            raise InputError(f"A crop must be uint8 RGB (height, width, 3), not {crop.dtype} {crop.shape}.")
        if crop.shape[0] % step or crop.shape[1] % step:
            raise InputError(
                f"A crop of {crop.shape[1]}x{crop.shape[0]} pixels does not fit the networks: "
                f"its sides must be multiples of {step}, best {SIZE}x{SIZE}."
            )
        return crop

    @torch.inference_mode()
    def _encoded(self, crops: Image) -> EncodedSource:
        images = self._image(crops)
        with _exact():
            return self._generator.encode(images, self._detector(images))

    @torch.inference_mode()
    def _found(self, crops: Image) -> ArrayKeypoints:
        with _exact():
            return _to_arrays(self._detector(self._image(crops)))

    def _motion(self, source: EncodedSource, driving: Keypoints[Tensor]) -> Motion:
        with _exact():
            return self._generator.dense_motion_network(source.small, source.keypoints, driving)

    @torch.inference_mode()
    def _drawn(self, source: EncodedSource, driving: ArrayKeypoints) -> Image:
        motion = self._motion(source, self._tensors(driving))
        # Motion is cheap in large batches; on CPUs the decoder is fastest when few frames' maps fill the cache.
        features = source.features.expand(len(motion.deformation), -1, -1, -1)
        parts = zip(*(torch.split(part, self.compute.decode) for part in (features, *motion)), strict=True)
        warped = (self._generator.warp(part, Motion(*moved)) for part, *moved in parts)
        picture = torch.cat([self._generator.render(features) for features in warped])
        if not bool(torch.isfinite(picture).all()):
            raise self._not_numbers()
        return np.asarray((picture * 255).round().to(torch.uint8).movedim(1, -1).contiguous().cpu())

    def _not_numbers(self) -> InputError:
        name = f"The checkpoint {self.name} gives frames that are not numbers: its file is damaged"
        if self.compute.dtype == torch.float32:
            return InputError(f"{name}.")
        coarse = str(self.compute.dtype).removeprefix("torch.")
        return InputError(f"{name}, or {coarse} is too coarse for it.", remedy={"precision": "float32"})

    def _tensors(self, keypoints: ArrayKeypoints) -> Keypoints[Tensor]:
        return Keypoints(*(torch.from_numpy(part).float().to(self.compute.device) for part in keypoints))

    def _image(self, crops: Image) -> Tensor:
        """(N, H, W, 3) uint8 as (N, 3, H, W) float32 in [0, 1] on the device, channels last in memory."""
        return torch.from_numpy(crops).to(self.compute.device).movedim(-1, 1).float() / 255


def _in_parts(batches: Iterable[tuple[Any, ...]], size: int, step: Callable[..., Result]) -> Iterator[Result]:
    """Results of a step for `size` frames at a time, for fewer from the first time the device's memory is too small.

    A batch is the step's arguments, arrays of as many frames each.
    """
    for batch in batches:
        start = 0
        while start < len(batch[0]):
            try:
                result = step(*(array[start : start + size] for array in batch))
            except torch.cuda.OutOfMemoryError as error:
                if size == 1:
                    raise UnavailableError(
                        "The GPU has too little free memory for even a single frame: close other programs that use it.",
                        remedy={"device": "cpu"},
                    ) from error
                # Results so far are kept; only the part that failed is computed again.
                size //= 2
                torch.cuda.empty_cache()
                continue
            start += size
            yield result


def _exact() -> Any:
    """Keep Nvidia GPUs from rounding float32 to 10 bits."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _to_array(values: Tensor) -> Array:
    return np.asarray(values.float().cpu())


def _to_arrays(keypoints: Keypoints[Tensor]) -> ArrayKeypoints:
    return Keypoints(*map(_to_array, keypoints))


def _joined(batches: list[ArrayKeypoints]) -> ArrayKeypoints:
    return Keypoints(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _initial(batches: Iterator[ArrayKeypoints], index: int) -> tuple[ArrayKeypoints, Iterator[ArrayKeypoints]]:
    """Keypoints of one frame of a stream, and the stream again from its beginning."""
    # What comes before that frame is held as keypoints, 240 bytes a frame; what follows stays a stream.
    seen: list[ArrayKeypoints] = []
    count = 0
    for batch in batches:
        seen.append(batch)
        count += len(batch.value)
        if count > index:
            value, jacobian = _joined(seen)
            return Keypoints(value[index : index + 1], jacobian[index : index + 1]), chain(seen, batches)
    if not seen:
        raise InputError("The driving clip has no frames.")
    raise InputError(f"The best frame {index} is beyond the driving clip's end: it has {count} frames.")
