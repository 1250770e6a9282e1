"""The network's forward and backward pass, saving no more than the backward pass needs.

The parameters have no gradients, so the backward pass needs nothing of a convolution's input, only
the signs of a ReLU's output, and only the positions of the maxima of max pooling. It frees each of
them as soon as it has used it. Torch's own graph saves the input and output of every layer, padded
copies besides, and positions as int64.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from napari_nst.engine.vgg.conv import Convolution, empty_like
from napari_nst.engine.vgg.pooling import Scaled

CheckCancelled = Callable[[], None]
"""Called between layers; raises `Cancelled` to end the computation there."""

WrapAround = tuple[int | None, int | None]
"""Row and column of a tile at which a periodic image starts again, None if it does not."""

NO_WRAP_AROUND: WrapAround = (None, None)

BLOCK, BLOCK_ON_GPU = 2**18, 2**22
"""Elements of a block of rows: a few MB on the CPU; more on a GPU, where every call costs time."""


def never_cancelled() -> None:
    """Let a computation run to its end."""


class Layer(Protocol):
    """A layer whose passes may overwrite the tensor that they are given if `in_place`."""

    def forward(self, features: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor | None]:
        """Return the output for features (N, C, H, W), and the tensor to save."""
        ...

    def backward(self, gradient: Tensor, saved: Any, *, in_place: bool) -> Tensor:
        """Return the gradient of the input, given the gradient of the output."""
        ...


class ReLU:
    """A ReLU whose output the caller gets: saves the output, which exists anyway."""

    def forward(self, features: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor]:
        """See `Layer`."""
        output = features.relu_() if in_place else features.relu()
        return output, output.detach()  # `output` itself would be a reference cycle

    def backward(self, gradient: Tensor, saved: Tensor, *, in_place: bool) -> Tensor:
        """See `Layer`."""
        result = gradient if in_place else torch.empty_like(gradient)
        backward = torch.ops.aten.threshold_backward.grad_input
        masked: Tensor = backward(gradient, saved, 0, grad_input=result)
        return masked


class ReLUBetween:
    """A ReLU whose output only the next layer reads: saves the signs as int8."""

    INTEGERS: ClassVar = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    """Bytes per element → integers of the same size."""

    def forward(self, features: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor]:
        """See `Layer`; the mask is -1 where the output is above 0, and 0 elsewhere."""
        output = features.relu_() if in_place else features.relu()
        return output, output.gt(0).view(torch.int8).neg_()

    def backward(self, gradient: Tensor, saved: Tensor, *, in_place: bool) -> Tensor:
        """See `Layer`."""
        gradient = gradient if in_place else gradient.clone()
        # All bits of -1 are set, so a bitwise "and" masks floats, five times as fast as `where`.
        integers = self.INTEGERS[gradient.element_size()]
        for rows in row_blocks(gradient):
            gradient[:, :, rows].view(integers).bitwise_and_(saved[:, :, rows].to(integers))
        return gradient


class Pooling:
    """A pooling that saves its input; average pooling saves the shape of its input only."""

    def __init__(self, module: nn.Module, wrap_around: WrapAround = NO_WRAP_AROUND) -> None:
        self.module = module
        self.wrap_around = wrap_around  # the image's odd last row, just before, is dropped

    @property
    def kind(self) -> type[nn.Module]:
        """The class of pooling."""
        return type(self.module.module if isinstance(self.module, Scaled) else self.module)

    def forward(self, features: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor]:
        """See `Layer`."""
        is_average = self.kind is nn.AvgPool2d
        saved = features.new_zeros(()).expand(features.shape) if is_average else features.detach()
        return self._pooled(features), saved

    def backward(self, gradient: Tensor, saved: Tensor, *, in_place: bool) -> Tensor:
        """See `Layer`."""
        if self.wrap_around != NO_WRAP_AROUND:
            return self._gradient(gradient, saved)
        result = torch.empty_like(saved, memory_format=torch.channels_last)
        for block in row_blocks(gradient):
            is_last = block.stop == gradient.shape[2]  # has also the odd row that was dropped
            rows = slice(2 * block.start, saved.shape[2] if is_last else 2 * block.stop)
            result[:, :, rows] = self._gradient(gradient[:, :, block], saved[:, :, rows])
        return result

    def _pooled(self, features: Tensor) -> Tensor:
        for dim, start in zip((2, 3), self.wrap_around, strict=True):
            if start is not None and start % 2:
                before = features.narrow(dim, 0, start - 1)
                after = features.narrow(dim, start, features.shape[dim] - start)
                features = torch.cat([before, after], dim)
        pooled: Tensor = self.module(features)
        return pooled

    def _gradient(self, gradient: Tensor, saved: Tensor) -> Tensor:
        # Pooling again takes less time than saving torch's graph would take memory.
        with torch.enable_grad():
            features = saved.detach().contiguous(memory_format=torch.channels_last)
            pooled = self._pooled(features.requires_grad_())
        (by_features,) = torch.autograd.grad(pooled, features, gradient)
        return by_features


class ReLUMaxPooling:
    """ReLU and max pooling in one: saves the positions of the maxima as int16, -1 for an output 0.

    Each pair of rows is pooled as an image of its own: positions count within an image, so int16
    holds them, and several threads share the backward pass.
    """

    def forward(self, features: Tensor, *, in_place: bool) -> tuple[Tensor, Tensor]:
        """See `Layer`."""
        channels, height, width = features.shape[1], features.shape[2] // 2, features.shape[3] // 2
        output = empty_like(features, (channels, height, width))
        # One more row or column than the output tells the backward pass of an odd height or width.
        shape = (channels, features.shape[2] - height, features.shape[3] - width)
        integers = torch.int16 if features.shape[3] <= 2**14 else torch.int32
        saved = empty_like(features, shape, integers)
        for image, result, positions in _images(features, output, saved):
            for rows in row_blocks(output):
                maxima, index = functional.max_pool2d_with_indices(_row_pairs(image, rows), (2, 2))
                positions[rows, :width] = _rows(index.masked_fill_(maxima <= 0, -1))
                result[rows] = _rows(maxima.clamp_min_(0))
        return output, saved

    def backward(self, gradient: Tensor, saved: Tensor, *, in_place: bool) -> Tensor:
        """See `Layer`."""
        channels, height, width = gradient.shape[1:]
        features = empty_like(gradient, (channels, height + saved.shape[2], width + saved.shape[3]))
        features[:, :, 2 * height :] = 0
        backward = torch.ops.aten.max_pool2d_with_indices_backward.grad_input
        window = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        for image, by_output, positions in _images(features, gradient, saved):
            for rows in row_blocks(gradient):
                index = positions[rows, :width]
                above_0 = _one_row_images(torch.where(index < 0, 0, by_output[rows]))
                index = _one_row_images(index.clamp_min(0).long())
                pairs = _row_pairs(image, rows)
                backward(above_0, pairs, *window, index, grad_input=pairs)
        return features


def layers_of(modules: nn.Sequential, *, quick: bool = False) -> dict[str, Layer]:
    """Return the layers of a network by name, in order; `quick` as for `Convolution`."""
    layers: dict[str, Layer] = {}
    for name, module in modules.named_children():
        if isinstance(module, nn.Conv2d):
            layers[name] = Convolution(module, quick=quick)
        elif isinstance(module, nn.ReLU):
            layers[name] = ReLU()
        else:
            layers[name] = Pooling(module)
    return layers


def iter_features(
    image: Tensor,
    layers: Mapping[str, Layer],
    wanted: Collection[str],
    wrap_around: WrapAround = NO_WRAP_AROUND,
    check_cancelled: CheckCancelled = never_cancelled,
) -> Iterator[tuple[str, Tensor]]:
    """Yield the `wanted` layers and their features, shallow to deep, differentiable once."""
    # Torch's backward pass goes in reverse order. If the loss of each layer is computed before the
    # next layer is asked for, only one layer has a gradient at a time.
    needs_gradient = image.requires_grad and torch.is_grad_enabled()
    features, segment, left = image, list[Layer](), len(wanted)
    for name, layer in layers.items():
        if not left:
            return
        if isinstance(layer, Pooling):
            layer = Pooling(layer.module, wrap_around)
            row, column = wrap_around
            wrap_around = row and row // 2, column and column // 2
        segment = _appended(segment, layer) if needs_gradient else [*segment, layer]
        if name in wanted:
            features = _Segment.apply(features, segment, check_cancelled)
            yield name, features
            segment = []
            left -= 1


def _appended(segment: list[Layer], layer: Layer) -> list[Layer]:
    """Return a segment with one more layer, so that a ReLU before it saves little."""
    if not (segment and isinstance(segment[-1], ReLU)):
        return [*segment, layer]
    if not isinstance(layer, Pooling) or layer.kind is nn.AvgPool2d:
        return [*segment[:-1], ReLUBetween(), layer]
    if layer.kind is nn.MaxPool2d and layer.wrap_around == NO_WRAP_AROUND:
        return [*segment[:-1], ReLUMaxPooling()]
    return [*segment, layer]  # which saves the ReLU's output itself


class _Segment(torch.autograd.Function):
    """The layers from the image or a returned layer to the next returned layer."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, layers: Sequence[Layer], check_cancelled: CheckCancelled
    ) -> Tensor:
        needs_gradient = ctx.needs_input_grad[0]
        given = features
        # Torch would hold what `save_for_backward` saves until the whole segment is done.
        ctx.saved = list[tuple[Tensor | None, int]]()
        ctx.layers, ctx.check_cancelled, ctx.is_used = layers, check_cancelled, False
        for layer in layers:
            check_cancelled()
            # The output of a layer within the segment may be overwritten by the next layer.
            features, saved = layer.forward(features, in_place=features is not given)
            if needs_gradient:
                ctx.saved.append((saved, 0 if saved is None else saved._version))
            del saved
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.is_used:
            raise RuntimeError("The backward pass can run only once; compute the features again.")
        ctx.is_used = True
        given = gradient
        for layer in reversed(ctx.layers):
            ctx.check_cancelled()
            saved, version = ctx.saved.pop()
            if saved is not None and saved._version != version:
                raise RuntimeError(
                    "Features of VGG19 were modified in place, but the backward pass needs them; "
                    "modify a copy of them, such as features.clone()."
                )
            gradient = layer.backward(gradient, saved, in_place=gradient is not given)
            del saved
        return gradient, None, None


def row_blocks(features: Tensor) -> Iterator[slice]:
    """Yield blocks of rows of (N, C, H, W), whose temporary tensors take little memory."""
    height = features.shape[2]
    elements = BLOCK if features.is_cpu else BLOCK_ON_GPU
    count = max(1, elements // max(1, features[:, :, :1].numel()))
    for start in range(0, height, count):
        yield slice(start, min(start + count, height))


def _images(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the images of tensors (N, C, H, W), each (H, W, C)."""
    return zip(*(tensor.permute(0, 2, 3, 1) for tensor in tensors), strict=True)


def _row_pairs(image: Tensor, rows: slice) -> Tensor:
    """Return the pairs of rows of (H, W, C) of which pooling makes `rows`, (n, C, 2, W)."""
    pairs = image[2 * rows.start : 2 * rows.stop]
    return pairs.view(-1, 2, *pairs.shape[1:]).permute(0, 3, 1, 2)


def _one_row_images(rows: Tensor) -> Tensor:
    """Return rows (n, W, C) as images (n, C, 1, W)."""
    return rows.permute(0, 2, 1).unsqueeze(2)


def _rows(images: Tensor) -> Tensor:
    """Return images of one row, (n, C, 1, W), as rows (n, W, C)."""
    return images.squeeze(2).permute(0, 2, 1)
