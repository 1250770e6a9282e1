"""The loss of a volume: statistics of slices drawn at random, and 3-D total variation.

The slices perpendicular to an axis are a batch whose features are pooled, like those of one image.
So each slice may differ from the exemplar, as crops of a texture do, as long as all of them
together do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.job.solid import Shape
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.jitter import Jitter
from napari_nst.engine.tiling.grid import Span, Tile, Window
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.memory_saving import NO_WRAP_AROUND, WrapAround
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe

AT_ONCE = 512
"""Slices of at most so many pixels squared together are computed at once, unless the recipe has
another `tile`. More at once are not faster on the CPU."""

_WHOLE = Span(slice(None), (slice(None),))


class SliceNetwork(VGG19):
    """Returns the features of several images one below the other, as those of one image."""

    def iter_features(
        self,
        image: Tensor,
        wrap_around: WrapAround = NO_WRAP_AROUND,
        layers: Collection[str] | None = None,
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield layers and the features (1, C, N·H', W') of images (N, 3, H, W), as views."""
        for layer, features in super().iter_features(image, wrap_around, layers):
            yield layer, features.permute(0, 2, 3, 1).flatten(0, 1)[None].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Some(Tile):
    """Some images of a batch, as a tile of it."""

    images: slice

    def cut(self, image: Tensor) -> Tensor:
        """Return the images (n, C, H, W) of a batch (N, C, H, W)."""
        return image[self.images]

    def add(self, values: Tensor, image: Tensor) -> None:
        """Add values of these images to a batch, in place."""
        image[self.images] += values

    def positions(self, layer: str) -> Window:
        """Return all positions, because no features overlap."""
        return self.window

    positions_in_extent = positions


class SliceObjective(TiledObjective):
    """The losses of a batch of slices (N, 3, H, W), whose features are pooled.

    As many slices as have `at_once` pixels are computed together, so that memory does not grow
    with the batch; the result is the same.
    """

    def __init__(
        self,
        network: SliceNetwork,
        losses: Mapping[str, WeightedLoss],
        *,
        at_once: int = AT_ONCE**2,
        jitter: Jitter | None = None,
    ) -> None:
        super().__init__(network, losses, {}, tile=0, jitter=jitter)
        self.at_once = at_once

    def _tiles(self, image: Tensor) -> Sequence[Tile]:
        count = max(1, self.at_once // (image.shape[2] * image.shape[3]))
        return [
            Some(_WHOLE, _WHOLE, slice(first, first + count))
            for first in range(0, len(image), count)
        ]


class SolidObjective:
    """The losses of a volume (1, 3, D, H, W), which the optimizer has as an image (1, 3, D·H, W).

    `losses` has, for each axis, those of the slices perpendicular to it, of which `slices` are
    drawn anew by each `redraw`. Each part is the mean over the axes.
    """

    def __init__(
        self,
        network: SliceNetwork,
        shape: Shape,
        losses: Mapping[int, Mapping[str, WeightedLoss]],
        recipe: Recipe,
        slices: int,
        generator: torch.Generator,
    ) -> None:
        self.shape = shape
        self.recipe = recipe
        self.slices = slices
        self.generator = generator
        self.periodic = recipe.padding == "circular"
        self.by_axis = {
            axis: SliceObjective(
                network,
                found,
                at_once=(recipe.tile or AT_ONCE) ** 2,
                jitter=Jitter(recipe.jitter, periodic=self.periodic),
            )
            for axis, found in losses.items()
        }
        self.drawn: dict[int, Tensor] = {}
        self.redraw()

    def value_and_grad(self, image: Tensor) -> tuple[dict[str, float], Tensor]:
        """Return the losses of the drawn slices, and the gradient of their sum."""
        volume = image.detach().reshape(3, *self.shape)
        gradient = torch.zeros_like(volume)
        parts: dict[str, float] = {}
        for axis, objective in self.by_axis.items():
            drawn = self.drawn[axis].to(volume.device)
            found, by_slices = objective.value_and_grad(slices_of(volume, axis, drawn))
            share = 1 / len(self.by_axis)
            slices_of(gradient, axis).index_add_(0, drawn, by_slices, alpha=share)
            for name, value in found.items():
                parts[name] = parts.get(name, 0.0) + value * share
        if weight := self.recipe.tv_weight:
            leaf = volume.requires_grad_()
            with torch.enable_grad():
                loss = weight * variation(leaf, self.recipe.tv_exponent, circular=self.periodic)
            gradient += torch.autograd.grad(loss, leaf)[0]
            parts["tv"] = float(loss.detach())
        return parts, gradient.view_as(image)

    def with_fixed(self, image: Tensor) -> Tensor:
        """Return the image: no voxels are fixed."""
        return image

    def redraw(self) -> bool:
        """Draw other slices: along each axis one from each of equal parts of the volume."""
        for axis, objective in self.by_axis.items():
            length = self.shape[axis]
            count = min(self.slices, length)
            offsets = torch.rand(count, generator=self.generator)
            found = ((torch.arange(count) + offsets) * length / count).long()
            self.drawn[axis] = found.clamp_(max=length - 1)
            objective.redraw()
        return True


def slices_of(volume: Tensor, axis: int, which: Tensor | None = None) -> Tensor:
    """Return slices (N, C, h, w) of a volume (C, D, H, W) perpendicular to an axis.

    They are all of them as a view, or a copy of some. Perpendicular to the depth, rows are along
    the height and columns along the width; else rows are along the first remaining axis.
    """
    every = volume.movedim(axis + 1, 0)
    return every if which is None else every.index_select(0, which)


def variation(volume: Tensor, exponent: float, *, circular: bool) -> Tensor:
    """Return the sum over three axes of the mean power of differences between neighbours."""
    total = volume.new_zeros(())
    for dim in (1, 2, 3):
        difference = volume.roll(-1, dim) - volume if circular else volume.diff(dim=dim)
        # Equal neighbours have no gradient, even if the exponent is below 1.
        size = difference.abs()
        total = total + torch.where(size > 0, size, 1.0).pow(exponent).mul(size > 0).mean()
    return total


def enlarged(volume: Tensor, shape: Shape, *, periodic: bool) -> Tensor:
    """Resample a volume (1, C, D, H, W) to a shape that is not smaller, trilinear."""
    for dim, length in enumerate(shape, start=2):
        own = volume.shape[dim]
        at = (torch.arange(length, device=volume.device) + 0.5) * (own / length) - 0.5
        first, share = at.floor().long(), at - at.floor()
        ends = [first, first + 1]
        ends = [end % own if periodic else end.clamp(0, own - 1) for end in ends]
        near, far = (volume.index_select(dim, end) for end in ends)
        volume = torch.lerp(near, far, share.view(-1, *(1,) * (4 - dim)).to(volume.dtype))
    return volume
