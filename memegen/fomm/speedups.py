"""Rewrite loaded networks into ones that compute the same numbers, up to rounding, with far less work."""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.fomm.layers import ConvBlock, ResBlock, UpBlock

Network = TypeVar("Network", bound=nn.Module)

# Upsampling by repetition followed by a 3-tap filter is one 4-tap transposed filter: each tap sums those it overlaps.
REPEAT_THEN_FILTER = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float64)

SUBPIXEL_LIMIT = 2**22
"""How many numbers an `UpBlock`'s filters may have: deep in a U-Net maps are so small that reading the filters takes
all the time, and transposed ones have more."""


def fuse(network: Network, *, winograd: bool = False) -> Network:
    """Fold batch norms into convolutions and upsampling into transposed ones, in place.

    Args:
        network: in float32 and evaluation mode, as `from_state` returns it.
        winograd: also compute the residual blocks' convolutions by `Winograd`; pays on CPUs without matrix units.

    Returns:
        The same network; its state dict no longer has the published names.
    """
    for name, child in network.named_children():
        if isinstance(child, UpBlock) and child.conv.weight.numel() <= SUBPIXEL_LIMIT:
            network.add_module(name, SubpixelUp(child))
        elif isinstance(child, nn.Conv2d) and name == "final":
            network.add_module(name, split_head(child))
        elif isinstance(child, ConvBlock):
            child.norm = _fold(child.conv, child.norm)
        elif isinstance(child, ResBlock):
            child.norm2 = _fold(child.conv1, child.norm2)
            if winograd:
                child.add_module("conv1", Winograd(child.conv1))
                child.add_module("conv2", Winograd(child.conv2))
        else:
            fuse(child, winograd=winograd)
    return network.requires_grad_(False)


def _fold(conv: nn.Conv2d, norm: nn.Module) -> nn.Identity:
    """Make `conv` do what it and the batch norm after it did; returns what stands in the norm's place."""
    scale, shift = affine(norm)
    conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    conv.bias = nn.Parameter(_bias(conv) * scale + shift)
    return nn.Identity()


def affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation mode as (C,) factors and summands."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
        raise TypeError(f"not a batch norm with statistics: {norm}")
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise TypeError(f"a convolution without bias: {conv}")
    return conv.bias


def _transformed(conv: nn.Conv2d, matrix: Tensor) -> Tensor:
    """3x3 filters with an (n, 3) matrix applied to their rows and columns, as (n * n, inputs, outputs)."""
    outputs, inputs, _, _ = conv.weight.shape
    taps = conv.weight.permute(2, 3, 1, 0).reshape(9, -1).double()
    return (torch.kron(matrix, matrix) @ taps).float().view(-1, inputs, outputs)


class SubpixelUp(nn.Module):
    """An `UpBlock` as one transposed convolution over the small map: 16 products for each pixel of it instead of 36."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        block.norm = _fold(block.conv, block.norm)
        weight = _transformed(block.conv, REPEAT_THEN_FILTER).movedim(0, -1)
        self.conv = nn.ConvTranspose2d(block.conv.in_channels, block.conv.out_channels, 4, stride=2, padding=1)
        self.conv.load_state_dict({"weight": weight.reshape(self.conv.weight.shape), "bias": block.conv.bias})

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x), inplace=True)


def split_head(conv: nn.Conv2d) -> nn.Sequential:
    """A square convolution to a few channels as a column of taps followed by a sum along rows.

    CPUs compute 16 output channels at a time. With 3 of them most of that is lost; the column has one for every output
    and tap of the row, 21 for the 7x7 convolution to RGB, and the sum is next to nothing.
    """
    outputs, inputs, taps, _ = conv.weight.shape
    column = nn.Conv2d(inputs, taps * outputs, (taps, 1), padding=(taps // 2, 0), bias=False)
    row = nn.Conv2d(taps * outputs, outputs, (1, taps), padding=(0, taps // 2))
    column.weight = nn.Parameter(conv.weight.permute(3, 0, 1, 2).reshape(taps * outputs, inputs, taps, 1))
    select = torch.einsum("uv,oq->ouqv", torch.eye(taps), torch.eye(outputs))
    row.weight = nn.Parameter(select.reshape(outputs, taps * outputs, 1, taps))
    row.bias = nn.Parameter(_bias(conv))
    return nn.Sequential(column, row)


class Winograd(nn.Module):
    """A 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products for 16 pixels instead of 144.

    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. The interpolation points 0, ±1/2, ±3/2
    and infinity keep the transforms' factors small, which bfloat16 needs: its error is half that of 0, ±1, ±2.
    The input is (N, C, H, W) with H and W multiples of 4.
    """

    POINTS = (0.0, 0.5, -0.5, 1.5, -1.5)

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        inputs, filters, outputs = toom_cook(self.POINTS)
        self.weight = nn.Parameter(_transformed(conv, filters), requires_grad=False)
        self.bias = nn.Parameter(_bias(conv).clone(), requires_grad=False)
        self.before: Tensor
        self.after: Tensor
        self.register_buffer("before", torch.kron(inputs, inputs).float())
        self.register_buffer("after", torch.kron(outputs, outputs).float())

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        padded = F.pad(x.movedim(1, -1), (0, 0, 1, 1, 1, 1))
        rows, columns = height // 4, width // 4
        s = padded.stride()
        tiles = padded.as_strided((6, 6, n, rows, columns, channels), (s[1], s[2], s[0], 4 * s[1], 4 * s[2], s[3]))
        spectrum = (self.before @ tiles.reshape(36, -1)).view(36, -1, channels)
        product = torch.bmm(spectrum, self.weight)
        out = (self.after @ product.flatten(1)).view(4, 4, n, rows, columns, -1)
        image = out.permute(2, 3, 0, 4, 1, 5).reshape(n, height, width, -1)
        return image.add_(self.bias).movedim(-1, 1)


def toom_cook(points: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Transforms of the input, the filter and the output of a 3-tap filter, for the points given and infinity."""
    n = len(points) + 1
    x = torch.tensor(points, dtype=torch.float64)
    differences = x[:, None] - x[None, :] + torch.eye(n - 1, dtype=torch.float64)
    inputs = torch.zeros(n, n, dtype=torch.float64)
    for row in range(n):
        roots = [p for i, p in enumerate(points) if i != row]
        inputs[row, : len(roots) + 1] = _polynomial(roots)
    filters = torch.cat([x[:, None] ** torch.arange(3) / differences.prod(dim=1, keepdim=True), torch.eye(3)[2:]])
    outputs = torch.cat([x ** torch.arange(n - 2)[:, None], torch.eye(n - 2)[:, -1:]], dim=1)
    return inputs, filters, outputs


def _polynomial(roots: list[float]) -> Tensor:
    """Coefficients, constant first, of the monic polynomial with these roots."""
    coefficients = torch.ones(1, dtype=torch.float64)
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - root * F.pad(coefficients, (0, 1))
    return coefficients
