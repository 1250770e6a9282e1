"""Forward through the network and back to the image, keeping no more than the way back needs.

Parameters have no gradients here, so a convolution needs none of its input on the way back, and a
rectifier no more than its output, until the way back has passed it. Torch's own graph keeps both to
the end, padded copies besides, and the indices of poolings in 64 bits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from napari_nst.engine.convolutions import Convolution
from napari_nst.engine.pulse import Pulse, go_on

Joins = tuple[int | None, int | None]
"""Row and column of an image, cut out of a periodic one across its border, where that begins."""

NO_JOINS: Joins = (None, None)


BAND = 2**19
"""Numbers of a pooling's gradient that go back at a time: with all that this takes, a few MB."""


class Pooling:
    """A network's pooling, of images that may lie across a join."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def forward(self, features: Tensor, joins: Joins) -> Tensor:
        """Return (N, C, H, W) halved; before a join an odd last row or column is left out."""
        pooled: Tensor = self.module(_without_odd(features, joins))
        return pooled

    def backward(self, gradient: Tensor, features: Tensor, joins: Joins) -> Tensor:
        """Return the gradient by the features, given that by what they were halved to."""
        if joins != NO_JOINS:
            return self._by(gradient, features, joins)
        by_features = torch.empty_like(features)
        for halved in _bands(gradient):
            # The last one has the odd row, too, that is left out.
            last = halved.stop == gradient.shape[2]
            rows = slice(2 * halved.start, features.shape[2] if last else 2 * halved.stop)
            by_features[:, :, rows] = self._by(gradient[:, :, halved], features[:, :, rows], joins)
        return by_features

    def _by(self, gradient: Tensor, features: Tensor, joins: Joins) -> Tensor:
        # Pooling once more takes less time than indices or windows would take memory.
        with torch.enable_grad():
            entire = features.detach().requires_grad_()
            pooled = self.forward(entire, joins)
        (by_features,) = torch.autograd.grad(pooled, entire, gradient)
        return by_features


def _bands(features: Tensor) -> Iterator[slice]:
    """Yield rows of features that take little memory together, all in turn."""
    height = features.shape[2]
    count = max(1, BAND // max(1, features[:, :, :1].numel()))
    for start in range(0, height, count):
        yield slice(start, min(start + count, height))


Stage = Convolution | nn.ReLU | Pooling


def stages_of(modules: nn.Sequential, *, quick: bool = False) -> dict[str, Stage]:
    """Return what a network's named modules do, in their order; `quick` as for `Convolution`."""
    stages: dict[str, Stage] = {}
    for name, module in modules.named_children():
        if isinstance(module, nn.Conv2d):
            stages[name] = Convolution(module, quick=quick)
        elif isinstance(module, nn.ReLU):
            stages[name] = module
        else:
            stages[name] = Pooling(module)
    return stages


class _Pass(torch.autograd.Function):
    """From an image or a layer to the next layer that somebody wants to see."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, stages: Sequence[Stage], joins: Joins, pulse: Pulse
    ) -> Tensor:
        kept: list[tuple[Tensor | None, Joins]] = []
        features = given
        for stage in stages:
            pulse()
            before = features
            if isinstance(stage, Convolution):
                features = stage.forward(features)
                kept.append((None, joins))
            elif isinstance(stage, nn.ReLU):
                # A convolution's own result may go under, unless somebody wants to see it.
                features = features.relu() if features is given else features.relu_()
                kept.append((features.detach(), joins))  # else what is returned would keep itself
            else:
                features = stage.forward(features, joins)
                kept.append((before.detach(), joins))
                joins = _halved(joins)
        # Torch would hold what it saves until all of the way back is done.
        ctx.kept = kept if ctx.needs_input_grad[0] else None
        ctx.stages, ctx.pulse = stages, pulse
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("There is one way back through the network; compute features again.")
        kept, ctx.kept = ctx.kept, None
        given = gradient
        for stage in reversed(ctx.stages):
            ctx.pulse()
            features, joins = kept.pop()
            if isinstance(stage, Convolution):
                gradient = stage.backward(gradient)
            elif isinstance(stage, nn.ReLU):
                gradient = _rectified(gradient, features, in_place=gradient is not given)
            else:
                gradient = stage.backward(gradient, features, joins)
            del features
        return gradient, None, None, None


def features_along(
    image: Tensor,
    stages: Mapping[str, Stage],
    asked: Collection[str],
    joins: Joins = NO_JOINS,
    pulse: Pulse = go_on,
) -> Iterator[tuple[str, Tensor]]:
    """Yield layers of an image and their features, shallow to deep; differentiable by the image.

    Once, since the way back frees what it has passed. Torch goes it in the opposite order to that
    in which all was computed: whoever measures a layer before the next is asked for has gradients
    by the features of one layer at a time.

    Parameters
    ----------
    image : Tensor
        (N, 3, H, W) as the first convolution reads it, in its number format.
    stages : mapping of str to Stage
        Layers in their order, up to the deepest that is asked for.
    asked : collection of str
        Layers to yield.
    joins : tuple of int or None
        Row and column where a periodic image begins anew. Poolings of the whole leave out an odd
        last row; so do these of its last row, before a join.
    pulse : callable, optional
        Called before each layer, on the way back too; what it raises ends the pass.
    """
    features, way = image, []
    for name, stage in stages.items():
        way.append(stage)
        if name in asked:
            features = _Pass.apply(features, way, joins, pulse)
            for passed in way:
                joins = _halved(joins) if isinstance(passed, Pooling) else joins
            yield name, features
            way = []


def _rectified(gradient: Tensor, features: Tensor, *, in_place: bool) -> Tensor:
    """Return a gradient where features are above 0, and 0 elsewhere."""
    backward = torch.ops.aten.threshold_backward
    if in_place:
        found: Tensor = backward.grad_input(gradient, features, 0, grad_input=gradient)
    else:
        found = backward(gradient, features, 0)
    return found


def _halved(joins: Joins) -> Joins:
    row, column = joins
    return (None if row is None else row // 2, None if column is None else column // 2)


def _without_odd(features: Tensor, joins: Joins) -> Tensor:
    for dim, join in zip((2, 3), joins, strict=True):
        if join is not None and join % 2:
            before = features.narrow(dim, 0, join - 1)
            after = features.narrow(dim, join, features.shape[dim] - join)
            features = torch.cat([before, after], dim)
    return features
