"""Building blocks of the First Order Motion Model's networks; attributes are named as in the published checkpoints."""

from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = Mapping[str, Tensor]
Widths = tuple[int, ...]


class ConvBlock(nn.Module):
    """Convolution that keeps height and width, batch norm, ReLU; (N, inputs, H, W) to (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm: Any = nn.BatchNorm2d(outputs)  # until `speedups.fuse` folds it into the convolution

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DownBlock(ConvBlock):
    """A `ConvBlock`, then halved by averaging; (N, inputs, H, W) to (N, outputs, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(ConvBlock):
    """Doubled by repeating pixels, then a `ConvBlock`; (N, inputs, H, W) to (N, outputs, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0))


class ResBlock(nn.Module):
    """Pre-activation residual block: x + conv(relu(norm(conv(relu(norm(x)))))), output shaped as the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2: Any = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x), inplace=True))
        out = self.conv2(F.relu(self.norm2(out), inplace=True))
        return torch.add(x, out)


class Hourglass(nn.Module):
    """U-Net: the encoder's maps are joined with the decoder's; (N, channels, H, W) to (N, up[-1] + channels, H, W).

    Args:
        channels: channels of the input.
        down: output channels of each encoder block, finest first.
        up: output channels of each decoder block, coarsest first; as many as `down`.
    """

    def __init__(self, channels: int, *, down: Widths, up: Widths) -> None:
        super().__init__()
        maps = (channels, *down)
        joined = (down[-1], *(block + skip for block, skip in zip(up, maps[-2::-1], strict=True)))
        self.encoder = nn.ModuleDict({"down_blocks": nn.ModuleList(map(DownBlock, maps, down))})
        self.decoder = nn.ModuleDict({"up_blocks": nn.ModuleList(map(UpBlock, joined, up))})
        self.inputs, self.outputs, self.step = channels, joined[-1], 2 ** len(down)

    @classmethod
    def shaped_like(cls, state: State, prefix: str) -> Self:
        """Return one with the architecture, not the weights, of the state dict's part below `prefix`."""
        down = block_widths(state, f"{prefix}.encoder.down_blocks")
        channels = state[f"{prefix}.encoder.down_blocks.0.conv.weight"].shape[1]
        return cls(channels, down=down, up=block_widths(state, f"{prefix}.decoder.up_blocks"))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for block in self.encoder["down_blocks"].children():
            maps.append(block(maps[-1]))
        out = maps.pop()
        for block in self.decoder["up_blocks"].children():
            out = torch.cat([block(out), maps.pop()], dim=1)
        return out


class AntiAliasDownsample(nn.Module):
    """Gaussian blur, then every n-th pixel; (N, channels, H, W) to (N, channels, H/n, W/n).

    Args:
        channels: channels of the input, blurred each on its own.
        kernel: odd side of the Gaussian; the step is (kernel + 3) / 4, so 13 means a quarter of the size.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.step = (kernel + 3) // 4
        # The published networks blur by this sigma; the kernel is in their files, but a new network needs it, too.
        sigma = (self.step - 1) / 2
        line = torch.exp(-((torch.arange(kernel) - kernel // 2) ** 2) / (2 * sigma**2))
        square = line[:, None] * line[None, :]
        self.weight: Tensor
        self.register_buffer("weight", (square / square.sum()).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        channels, _, kernel, _ = self.weight.shape
        return F.conv2d(x, self.weight, stride=self.step, padding=kernel // 2, groups=channels)


def coordinate_grid(height: int, width: int, *, like: Tensor) -> Tensor:
    """Return pixel centres as (height, width, 2) x, y from -1 to 1, both ends included; dtype and device of `like`."""
    x, y = (torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device) for size in (width, height))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def joined_heads(features: Tensor, *heads: nn.Conv2d) -> tuple[Tensor, ...]:
    """Compute convolutions of one size over the same features as a single one, which reads the features only once."""
    weight = torch.cat([head.weight for head in heads])
    bias = torch.cat([head.bias for head in heads if head.bias is not None])
    joined = F.conv2d(features, weight, bias, padding=heads[0].padding)
    return torch.split(joined, [head.out_channels for head in heads], dim=1)


def block_widths(state: State, prefix: str) -> Widths:
    """Return the output channels of the numbered convolution blocks below `prefix` in a state dict."""
    names = takewhile(state.__contains__, (f"{prefix}.{index}.conv.weight" for index in count()))
    return tuple(state[name].shape[0] for name in names)
