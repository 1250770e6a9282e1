"""3 × 3 convolutions with fixed kernels, and their backward pass.

Large features are convolved in blocks of rows. Convolving copies its input, with padding and in
another memory format: copies of a block take little memory, a copy of all rows as much as the
features. In the backward pass the result of a block can overwrite the gradient. At 1024 px in
float32, the peak memory of a forward and backward pass is 1003 MB, without blocks 1261 MB.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_nst.engine.vgg.winograd import Winograd

BLOCK = 2**20
"""Elements of a block of rows; with smaller blocks, the calls take more time."""

CHANNELS_IN_BLOCKS = (64, 128)
"""Features with fewer channels (an image) or more channels (deep layers) take little memory."""

COPIED_ROWS = {"replicate": (0, -1), "reflect": (1, -2), "circular": (-1, 0)}
"""Padding mode → the rows that are copied above the first and below the last row."""


class Convolution:
    """A `torch.nn.Conv2d` of fixed 3 × 3 kernels with a padding of 1, in any padding mode."""

    def __init__(self, module: nn.Conv2d, *, quick: bool = False) -> None:
        self.module = module
        self.quick = quick  # use Winograd's algorithm where it is faster; it rounds more
        self._transposed: Tensor | None = None
        self._winograd: Winograd | None = None

    def forward(self, features: Tensor, *, in_place: bool = False) -> tuple[Tensor, None]:
        """Return the output (N, out, H, W) for features (N, in, H, W), and nothing to save."""
        weight, bias, mode = self.module.weight, self.module.bias, self.module.padding_mode
        if (winograd := self._winograd_for(features)) is not None:
            output = winograd.forward(_padded(features, mode))
            return (output if bias is None else output.add_(bias[:, None, None])), None
        if not _is_large(features):
            if mode == "zeros":
                return functional.conv2d(features, weight, bias, padding=1), None
            return functional.conv2d(_padded(features, mode), weight, bias), None
        output = empty_like(features, (len(weight), *features.shape[2:]))
        for rows in _blocks(features):
            padded = _padded_rows(features, rows, mode)
            output[:, :, rows] = functional.conv2d(padded, weight, bias)
        return output, None

    def backward(self, gradient: Tensor, saved: None = None, *, in_place: bool = False) -> Tensor:
        """Return the gradient of the features, given the gradient of the output."""
        mode = self.module.padding_mode
        if (winograd := self._winograd_for(gradient)) is not None:
            return _padding_gradient(winograd.backward(gradient), mode)
        kernels = self._transposed_kernels()
        if _is_large(gradient):
            return _blockwise_backward(gradient, kernels, mode, in_place=in_place)
        if mode == "zeros":
            return functional.conv2d(gradient, kernels, padding=1)
        return _padding_gradient(functional.conv2d(gradient, kernels, padding=2), mode)

    def kernel_bytes(self, pixels: int) -> int:
        """Return the bytes of the kernels for both passes of features of so many pixels."""
        weight = self.module.weight
        size = weight.numel() * weight.element_size()
        if self.quick and Winograd.suits(weight, pixels):
            return 5 * size  # 6 × 6 transformed values for 3 × 3
        return 2 * size

    def _winograd_for(self, features: Tensor) -> Winograd | None:
        """Return Winograd's convolution if it is faster for these features or this gradient."""
        weight, pixels = self.module.weight, features[:, 0].numel()
        if not (self.quick and len(features) == 1 and Winograd.suits(weight, pixels)):
            return None
        if self._winograd is None:
            self._winograd = Winograd(weight)
        return self._winograd

    def _transposed_kernels(self) -> Tensor:
        """Return the kernels (in, out, 3, 3) of the backward pass, itself a convolution."""
        weight = self.module.weight
        if self._transposed is None or self._transposed.device != weight.device:
            transposed = weight.detach().flip(2, 3).transpose(0, 1)
            self._transposed = transposed.contiguous(memory_format=torch.channels_last)
        return self._transposed


def _padded(features: Tensor, mode: str) -> Tensor:
    return functional.pad(features, (1, 1, 1, 1), "constant" if mode == "zeros" else mode)


def _padding_gradient(padded: Tensor, mode: str) -> Tensor:
    """Return the gradient of features, given the gradient of the same with a padding of 1."""
    if mode == "zeros":
        return padded[..., 1:-1, 1:-1]
    return _without_border(_without_border(padded, 2, mode), 3, mode)


def _without_border(padded: Tensor, dim: int, mode: str) -> Tensor:
    """Add the borders of a gradient to the rows or columns that they are copies of."""
    inner = padded.narrow(dim, 1, padded.shape[dim] - 2)
    for index, border in zip(COPIED_ROWS[mode], (0, -1), strict=True):
        inner.select(dim, index).add_(padded.select(dim, border))
    return inner


def _is_large(features: Tensor) -> bool:
    """Whether to convolve in blocks, which was measured for float32 on the CPU only."""
    is_measured = features.is_cpu and features.dtype == torch.float32
    return is_measured and features.shape[1] in CHANNELS_IN_BLOCKS and features.numel() > BLOCK


def _blocks(features: Tensor) -> Iterator[slice]:
    height = features.shape[2]
    count = max(1, BLOCK * height // features.numel())
    for first in range(0, height, count):
        yield slice(first, min(first + count, height))


def _padded_rows(features: Tensor, rows: slice, mode: str) -> Tensor:
    """Return a block of rows with one more row above and below, and a padding of columns."""
    is_top, is_bottom = rows.start == 0, rows.stop == features.shape[2]
    block = features[:, :, max(0, rows.start - 1) : rows.stop + 1]
    if mode != "circular":
        mode = "constant" if mode == "zeros" else mode
        return functional.pad(block, (1, 1, int(is_top), int(is_bottom)), mode)
    above = [features[:, :, -1:]] if is_top else []
    below = [features[:, :, :1]] if is_bottom else []
    return functional.pad(torch.cat([*above, block, *below], dim=2), (1, 1, 0, 0), mode)


def _blockwise_backward(gradient: Tensor, kernels: Tensor, mode: str, *, in_place: bool) -> Tensor:
    """Return the gradient of the features, in the memory of `gradient` if it may be overwritten."""
    height, width = gradient.shape[2], 1 if mode == "zeros" else 2  # of the padding with zeros

    def padded(rows: slice) -> Tensor:
        above = width if rows.start == 0 else 0
        below = width if rows.stop == height else 0
        block = gradient[:, :, max(0, rows.start - 1) : rows.stop + 1]
        return functional.pad(block, (width, width, above, below))

    if in_place and gradient.shape[1] == len(kernels):
        result = gradient
    else:
        result = empty_like(gradient, (len(kernels), *gradient.shape[2:]))
    blocks, borders = list(_blocks(gradient)), list[Tensor]()
    following = padded(blocks[0])
    for index, rows in enumerate(blocks):
        part = functional.conv2d(following, kernels)
        if index + 1 < len(blocks):  # read the next block before a row of it is overwritten
            following = padded(blocks[index + 1])
        if mode != "zeros":
            part = _without_border(part, 3, mode)
            if rows.start == 0:
                borders.append(part[:, :, 0].clone())
                part = part[:, :, 1:]
            if rows.stop == height:
                borders.append(part[:, :, -1].clone())
                part = part[:, :, :-1]
        result[:, :, rows] = part
    for row, border in zip(COPIED_ROWS.get(mode, ()), borders, strict=True):
        result.select(2, row).add_(border)
    return result


def empty_like(
    features: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None
) -> Tensor:
    """Return an empty channels-last tensor (N, *shape) for features (N, C, H, W)."""
    return torch.empty(
        (features.shape[0], *shape),
        dtype=dtype or features.dtype,
        device=features.device,
        memory_format=torch.channels_last,
    )
