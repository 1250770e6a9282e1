"""Forward through the network and back to the image, keeping no more than the way back needs.

Parameters have no gradients here, so a convolution needs none of its input on the way back, a
rectifier no more than where its output is above 0, and a maximum no more than where it was, until
the way back has passed them. Torch's own graph keeps input and output to the end, padded copies
besides, and the places of maxima in 64 bits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.vgg.conv import Convolution
from napari_nst.engine.vgg.maximum import RectifiedMaximum
from napari_nst.engine.vgg.stages import NO_JOINS, Joins, Pooling, Rectifier, UnseenRectifier

Stage = Convolution | Rectifier | UnseenRectifier | Pooling


def stages_of(modules: nn.Sequential, *, quick: bool = False) -> dict[str, Stage]:
    """Return what a network's named modules do, in their order; `quick` as for `Convolution`."""
    stages: dict[str, Stage] = {}
    for name, module in modules.named_children():
        if isinstance(module, nn.Conv2d):
            stages[name] = Convolution(module, quick=quick)
        elif isinstance(module, nn.ReLU):
            stages[name] = Rectifier()
        else:
            stages[name] = Pooling(module)
    return stages


def _added(way: Sequence[Stage], stage: Stage) -> list[Stage]:
    """Return stages with one more; a rectifier that something follows is seen by that alone."""
    if not (way and isinstance(way[-1], Rectifier)):
        return [*way, stage]
    if not isinstance(stage, Pooling) or stage.kind is nn.AvgPool2d:
        return [*way[:-1], UnseenRectifier(), stage]
    if stage.kind is nn.MaxPool2d:
        return [*way[:-1], RectifiedMaximum(stage.module)]
    return [*way, stage]  # which keeps what the rectifier makes


class _Pass(torch.autograd.Function):
    """From an image or a layer to the next layer that somebody wants to see."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, stages: Sequence[Stage], joins: Joins, pulse: Pulse
    ) -> Tensor:
        is_needed = ctx.needs_input_grad[0]
        kept: list[tuple[Tensor | None, Joins]] = []
        features = given
        for stage in stages:
            pulse()
            before, one = joins, None
            if isinstance(stage, Convolution):
                features = stage.forward(features)
            else:
                # A convolution's own result may go under, unless somebody wants to see it.
                features, one = stage.forward(features, joins, is_own=features is not given)
            if isinstance(stage, Pooling):
                joins = stage.halved(joins)
            if is_needed:
                kept.append((one, before))
            del one
        # Torch would hold what it saves until all of the way back is done.
        ctx.kept = kept if is_needed else None
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
            one, joins = kept.pop()
            is_own = gradient is not given
            if isinstance(stage, Convolution):
                gradient = stage.backward(gradient, is_own=is_own)
            else:
                gradient = stage.backward(gradient, one, joins, is_own=is_own)
            del one
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
    goes_back = image.requires_grad and torch.is_grad_enabled()
    features, way = image, list[Stage]()
    for name, stage in stages.items():
        way = _added(way, stage) if goes_back else [*way, stage]
        if name in asked:
            features = _Pass.apply(features, way, joins, pulse)
            for passed in way:
                joins = passed.halved(joins) if isinstance(passed, Pooling) else joins
            yield name, features
            way = []
