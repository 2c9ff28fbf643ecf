"""Rewrites of loaded networks that compute the same numbers, up to rounding, with far less work."""

from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.polynomial.polynomial import polyfromroots
from torch import Tensor, nn

from memegen.fomm.layers import ConvBlock, ResBlock, UpBlock

Network = TypeVar("Network", bound=nn.Module)

# Upsampling by repetition followed by a 3-tap filter is one 4-tap transposed filter: each tap sums those it overlaps.
REPEAT_THEN_FILTER = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float64)

SUBPIXEL_LIMIT = 2**22
"""How many numbers an `UpBlock`'s filters may have: deep in a U-Net, maps are so small that reading the filters takes
all the time, and transposed filters are larger."""


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
            child.conv, child.norm = _folded(child.conv, child.norm), nn.Identity()
        elif isinstance(child, ResBlock):
            # Only the norm between the two convolutions follows one directly; the first norm comes before a ReLU.
            child.conv1, child.norm2 = _folded(child.conv1, child.norm2), nn.Identity()
            if winograd:
                child.add_module("conv1", Winograd(child.conv1))
                child.add_module("conv2", Winograd(child.conv2))
        else:
            fuse(child, winograd=winograd)
    return network.requires_grad_(False)


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Fold a batch norm in evaluation mode into the convolution before it, in place; return the convolution.

    `torch.nn.utils.fusion` does the same but rounds the last bit differently. The optical flow of paste back turns that
    bit into up to three grey levels.
    """
    mean, variance, bias = (cast(Tensor, numbers) for numbers in (norm.running_mean, norm.running_var, conv.bias))
    scale = norm.weight / (variance + norm.eps).sqrt()
    conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
    conv.bias = nn.Parameter(bias * scale + (norm.bias - mean * scale))
    return conv


def _transformed(conv: nn.Conv2d, matrix: Tensor) -> Tensor:
    """Apply an (n, 3) matrix to the rows and columns of 3x3 filters; (n * n, inputs, outputs)."""
    outputs, inputs, _, _ = conv.weight.shape
    taps = conv.weight.permute(2, 3, 1, 0).reshape(9, -1).double()
    # M W M' of all filters at once: their nine taps, row by row, times the Kronecker product of M with itself.
    return (torch.kron(matrix, matrix) @ taps).float().view(-1, inputs, outputs)


class SubpixelUp(nn.Module):
    """An `UpBlock` as one transposed convolution over the small map: 16 products for each pixel of it instead of 36."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        fused = _folded(block.conv, block.norm)
        weight = _transformed(fused, REPEAT_THEN_FILTER).movedim(0, -1)
        self.conv = nn.ConvTranspose2d(fused.in_channels, fused.out_channels, 4, stride=2, padding=1)
        self.conv.load_state_dict({"weight": weight.reshape(self.conv.weight.shape), "bias": fused.bias})

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x), inplace=True)


def split_head(conv: nn.Conv2d) -> nn.Sequential:
    """Split a square convolution to a few channels into a column of taps and a sum along rows.

    CPUs compute 16 output channels at a time. With 3 of them most of that is lost; the column has one for every output
    and tap of the row, 21 for the 7x7 convolution to RGB, and the sum costs next to nothing.
    """
    outputs, inputs, taps, _ = conv.weight.shape
    column = nn.Conv2d(inputs, taps * outputs, (taps, 1), padding=(taps // 2, 0), bias=False)
    row = nn.Conv2d(taps * outputs, outputs, (1, taps), padding=(0, taps // 2))
    # Channel (u, o) of the column holds what tap u of the row adds to output o; the row picks it at its tap u.
    column.weight = nn.Parameter(conv.weight.permute(3, 0, 1, 2).reshape(taps * outputs, inputs, taps, 1))
    select = torch.einsum("uv,oq->ouqv", torch.eye(taps), torch.eye(outputs))
    row.weight = nn.Parameter(select.reshape(outputs, taps * outputs, 1, taps))
    row.bias = conv.bias
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
        self.bias = cast(Tensor, conv.bias)
        # Rows and columns in one product: the Kronecker product of a transform with itself acts on flat tiles.
        self.before = nn.Parameter(torch.kron(inputs, inputs).float(), requires_grad=False)
        self.after = nn.Parameter(torch.kron(outputs, outputs).float(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        padded = F.pad(x.movedim(1, -1), (0, 0, 1, 1, 1, 1))
        rows, columns = height // 4, width // 4
        # Tiles of 6x6 pixels, one every 4, as a view: neighbours share two rows or columns of memory.
        s = padded.stride()
        tiles = padded.as_strided((6, 6, n, rows, columns, channels), (s[1], s[2], s[0], 4 * s[1], 4 * s[2], s[3]))
        spectrum = (self.before @ tiles.reshape(36, -1)).view(36, -1, channels)
        # Here a convolution is one matrix product for each of the 36 positions, over channels and all tiles.
        product = torch.bmm(spectrum, self.weight)
        out = (self.after @ product.flatten(1)).view(4, 4, n, rows, columns, -1)
        image = out.permute(2, 3, 0, 4, 1, 5).reshape(n, height, width, -1)
        return image.add_(self.bias).movedim(-1, 1)


def toom_cook(points: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the transforms of the input, the filter and the output of a 3-tap filter, for these points and infinity.

    Polynomials are multiplied by multiplying their values at the points and interpolating; a filter is the transpose.
    """
    x, n = np.array(points), len(points) + 1
    powers = np.vander(x, n, increasing=True)
    # Row i is Lagrange's polynomial that is zero at all points but the i-th, unscaled; the last is zero at all of them.
    inputs = np.stack([*(np.append(polyfromroots(np.delete(x, i)), 0) for i in range(n - 1)), polyfromroots(x)])
    # Its value at the i-th point is divided out of the filters instead, which are transformed only once.
    scale = (inputs[:-1] * powers).sum(axis=1, keepdims=True)
    filters = np.vstack([powers[:, :3] / scale, np.eye(3)[2:]])
    outputs = np.hstack([powers[:, : n - 2].T, np.eye(n - 2)[:, -1:]])
    return torch.from_numpy(inputs), torch.from_numpy(filters), torch.from_numpy(outputs)
