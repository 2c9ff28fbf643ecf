"""The generator's decoder on OpenVINO, which on CPUs computes it faster than torch once translated."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.fomm.compute import Compute
from memegen.fomm.generator import Generator
from memegen.fomm.layers import ResBlock
from memegen.fomm.speedups import Winograd, affine, toom_cook

Matrix = list[list[float]]


class OpenVinoDecoder:
    """Stands in for `Generator.render`.

    The decoder is translated for the size of the first features it meets and again for any other; torch's weights are
    kept for that, 35 MB.

    Args:
        generator: fused, without `Winograd`.
        compute: says in which precision, and whether residual blocks are to use `SlicedWinograd`.
    """

    def __init__(self, generator: Generator, *, compute: Compute) -> None:
        self._generator = generator
        self._compute = compute
        self._shape: torch.Size | None = None
        self._infer: Callable[..., Any]

    def __call__(self, features: Tensor) -> Tensor:
        """Decode features.

        Args:
            features: (N, C, H, W) float32, of one H and W for a whole clip.

        Returns:
            (N, channels, H', W') float32 in [0, 1].
        """
        if features.shape != self._shape:
            self._infer, self._shape = self._compiled(features), features.shape
        picture = self._infer([features.contiguous().numpy()], share_inputs=True)[0]
        return torch.from_numpy(picture.copy())

    def _compiled(self, features: Tensor) -> Callable[..., Any]:
        openvino = _openvino()
        decoder = _Decoder(self._generator, winograd=self._compute.winograd)
        with warnings.catch_warnings(action="ignore"):  # it traces, which torch has begun to discourage
            model = openvino.convert_model(decoder, example_input=features, input=[list(features.shape)])
        precision = {torch.bfloat16: "bf16", torch.float32: "f32"}[self._compute.dtype]
        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        infer: Callable[..., Any] = openvino.compile_model(model, "CPU", options).create_infer_request().infer
        return infer


class _Decoder(nn.Module):
    """`Generator.render` as a module of its own, in the operations that OpenVINO is fast at."""

    def __init__(self, generator: Generator, *, winograd: bool) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(*(_Residual(block) for block in generator.bottleneck)) if winograd else None
        plain = () if winograd else generator.bottleneck
        self.layers = nn.Sequential(*plain, *generator.up_blocks, generator.final, nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        if self.bottleneck is not None:
            features = self.bottleneck(features.movedim(1, -1)).movedim(-1, 1)
        picture: Tensor = self.layers(features)
        return picture


class _Residual(nn.Module):
    """A fused `ResBlock` of (N, H, W, C)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        if not isinstance(block, ResBlock):
            raise TypeError(f"not a residual block: {block}")
        self.scale, self.shift = affine(block.norm1)
        self.conv1, self.conv2 = SlicedWinograd(block.conv1), SlicedWinograd(block.conv2)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(F.relu(x * self.scale + self.shift))
        return torch.add(x, self.conv2(F.relu(inner)))


class SlicedWinograd(Winograd):
    """`Winograd` with its transforms written as sums of slices, which OpenVINO joins into a few passes.

    Channels come last in shape, not only in memory: transposes would cost a fifth of the decoder's time.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        inputs, _, outputs = toom_cook(self.POINTS)
        self.inputs: Matrix = inputs.tolist()
        self.outputs: Matrix = outputs.tolist()

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        across = _combined(self.inputs, [padded[:, :, i : i + width - 3 : 4] for i in range(6)])
        tiles = _combined(self.inputs, [across[:, :, i : i + height - 3 : 4] for i in range(6)])
        product = torch.bmm(tiles.reshape(36, -1, channels), self.weight)
        taps = product.view(6, 6, n, height // 4, width // 4, -1)
        rows = _combined(self.outputs, list(taps), dim=3)
        image = _combined(self.outputs, list(rows), dim=4)
        return image.reshape(n, height, width, -1) + self.bias


def _combined(matrix: Matrix, parts: list[Tensor], *, dim: int = 0) -> Tensor:
    """A matrix times a vector of tensors, stacked."""
    terms = [[part * f if f != 1 else part for f, part in zip(row, parts, strict=True) if f] for row in matrix]
    return torch.stack([reduce(torch.add, row) for row in terms], dim=dim)


def _openvino() -> Any:
    """The package, kept from reporting each import to its makers, as it does unasked."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
