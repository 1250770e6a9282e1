"""The objective of a run: weighted losses of an image and of its features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_nst.engine.job.layers import JOINED
from napari_nst.engine.losses import (
    NearestNeighbourLoss,
    Sampled,
    SlicedWassersteinLoss,
    sampled_losses,
)
from napari_nst.engine.losses.sampled import Reading, size_at
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.jitter import Jitter
from napari_nst.engine.vgg.network import VGG19

Parts = dict[str, Tensor]
"""Name of a part, such as ``style/relu1_1`` or ``tv`` → its weighted loss, a scalar."""

FIRST_SCALE, LEAST_SCALE, SCALE_STEP = 2.0**24, 2.0**-60, 2.0**12
"""Factor of float16 gradients in the network: the first one tried, the last, and the quotient of
two. At 64 px and the default recipe, all factors from 2 to 2**24 leave the gradient equally exact.
"""


CONTENT_SHARE = 0.75
"""Share of the content in the image whose nearest neighbours are targets of a whole scale: NNST's.
"""


@dataclass(frozen=True, eq=False)
class SampledTerm:
    """A loss of samples, its part of the objective, and its weight."""

    part: str
    weight: float
    loss: Sampled

    def readings(self, shape: tuple[int, int]) -> dict[str, Reading]:
        """Return where the current positions of an image are read, by layer."""
        return self.loss.readings(size_at(next(iter(self.loss.layers)), shape))


class Objective(nn.Module):
    """A sum of weighted losses. Its `repr` lists them.

    `on_features` maps ``content/relu4_2`` or ``style/relu1_1/mrf`` to a loss of that layer's
    features, `on_image` maps ``tv`` to a loss of the image. `fixed` is a mask (1, 1, H, W) of the
    pixels that may change and an image (1, 3, H, W) that replaces all other pixels, which have no
    gradient. The losses of features see the image at the shifts of `jitter`; masks stay in place.
    `content` (1, 3, H, W) is mixed into the image that chooses the nearest neighbours of a scale.
    """

    mask: Tensor | None
    outside: Tensor | None

    def __init__(
        self,
        network: VGG19,
        on_features: Mapping[str, WeightedLoss],
        on_image: Mapping[str, WeightedLoss],
        fixed: tuple[Tensor, Tensor] | None = None,
        *,
        jitter: Jitter | None = None,
        content: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.jitter = jitter or Jitter(0)
        self.content = content
        mask, outside = fixed or (None, None)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("outside", outside, persistent=False)
        self.on_features = nn.ModuleDict(on_features)
        self.on_image = nn.ModuleDict(on_image)
        self.network = network
        self._sampled = [
            SampledTerm(part, weighted.weight * factor, loss)
            for part, weighted in on_features.items()
            for factor, loss in sampled_losses(weighted.loss) or ()
        ]
        # float16 has no gradient below 6e-8, so gradients are computed times this factor, a power
        # of two (Micikevicius et al. 2018, "Mixed Precision Training").
        self.gradient_scale = FIRST_SCALE if network.dtype == torch.float16 else 1.0

    def forward(self, image: Tensor) -> Parts:
        """Return the weighted parts for an image (1, 3, H, W) in [0, 1]; differentiable."""
        image = self.with_fixed(image)
        parts = self._parts_of_features(image)
        parts.update({name: loss(image) for name, loss in self.on_image.items()})
        return parts

    def value_and_grad(self, image: Tensor) -> tuple[dict[str, float], Tensor]:
        """Return the weighted parts and the gradient of their sum by an image (1, 3, H, W)."""
        image = self.with_fixed(image.detach())
        self._aim()
        self.choose_targets(image)
        while True:
            parts, gradient = self._computed(self.jitter.moved(image))
            gradient = self.jitter.moved_back(gradient)
            parts, gradient = self._add_image_losses(image, parts, gradient)
            # One transfer for all values: each makes the CPU wait for the GPU.
            values = torch.stack(list(parts.values())).tolist() if parts else []
            if not self._overflowed(sum(values), gradient):
                break
            self.gradient_scale /= SCALE_STEP
        if self.mask is not None:
            gradient.masked_fill_(~self.mask, 0)
        return dict(zip(parts, values, strict=True)), gradient

    def with_fixed(self, image: Tensor) -> Tensor:
        """Return an image with the fixed pixels in their places."""
        if self.mask is None or self.outside is None:
            return image
        return torch.where(self.mask, image, self.outside)

    def redraw(self) -> bool:
        """Draw random numbers of losses again, and take the next shift; return if there are any."""
        for loss in self._random_losses():
            loss.redraw()
        return self.jitter.advance() or bool(self._random_losses())

    def state(self) -> dict[str, Any]:
        """Return what the next evaluations depend on, besides the recipe and the images."""
        drawn = [loss.random_state for loss in self._random_losses()]
        return {
            "gradient_scale": self.gradient_scale,
            "random": drawn,
            "turn": self.jitter.turn,
            "targets": [loss.targets for loss in self._nearest_neighbours()],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of an equal objective."""
        self.gradient_scale = state["gradient_scale"]
        self.jitter.turn = state.get("turn", 0)
        for loss, drawn in zip(self._random_losses(), state["random"], strict=True):
            loss.redraw(drawn)
        for nearest, targets in zip(
            self._nearest_neighbours(), state.get("targets", ()), strict=True
        ):
            nearest.targets = None if targets is None else targets.to(self.network.device)

    def choose_targets(self, image: Tensor) -> None:
        """Choose the nearest neighbours that are chosen once, of the first image at this scale.

        As in NNST, it is blended with the content, whose shapes the neighbours then keep.
        """
        losses = [one for one in self._nearest_neighbours() if one.fixed and one.targets is None]
        if not losses:
            return
        if self.content is not None:
            image = torch.lerp(image, self.content.to(image), CONTENT_SHARE)
        shape = (image.shape[2], image.shape[3])
        readings = [one.all_readings(size_at(next(iter(one.layers)), shape)) for one in losses]
        with torch.no_grad():
            for loss, vectors in zip(losses, self._read(image, readings), strict=True):
                loss.choose(loss.joined(list(vectors.values())))

    def _read(
        self, image: Tensor, readings: Sequence[Mapping[str, Reading]]
    ) -> list[dict[str, Tensor]]:
        """Return the vectors of some readings of an image, by layer."""
        found: list[dict[str, Tensor]] = [{} for _ in readings]
        for layer, features in self.network.iter_features(image):
            for vectors, reading in zip(found, readings, strict=True):
                if layer in reading:
                    vectors[layer] = reading[layer].of(features)
        return found

    def _nearest_neighbours(self) -> list[NearestNeighbourLoss]:
        return [loss for loss in self.modules() if isinstance(loss, NearestNeighbourLoss)]

    def _random_losses(self) -> list[SlicedWassersteinLoss | Sampled]:
        kinds = (SlicedWassersteinLoss, Sampled)
        return [loss for loss in self.modules() if isinstance(loss, kinds)]

    def _computed(self, image: Tensor) -> tuple[Parts, Tensor]:
        """Return the parts of features, and the gradient of their sum, scaled, without the mask."""
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            parts = self._parts_of_features(leaf)
        if parts:
            total = torch.stack(list(parts.values())).sum() * self.gradient_scale
            (gradient,) = torch.autograd.grad(total, leaf)
            del total
        else:
            gradient = torch.zeros_like(image)
        del leaf
        return {name: part.detach() for name, part in parts.items()}, gradient

    def _aim(self) -> None:
        """Give the content losses the content at the current shift."""
        if self.jitter.number < 2:
            return
        content = self.jitter.content()
        for name, weighted in self.on_features.items():
            loss: Any = weighted.loss
            if name.startswith("content/") or getattr(loss, "follows_content", False):
                loss.aim(content if isinstance(loss, Sampled) else content[layer_of(name)])

    def _parts_of_features(self, image: Tensor) -> Parts:
        shape = (image.shape[2], image.shape[3])
        found: Parts = {}
        joint = [term for term in self._sampled if layer_of(term.part) == JOINED]
        readings = [term.readings(shape) for term in joint]
        vectors: list[list[Tensor]] = [[] for _ in joint]
        # Each layer's losses are computed before the next layer: the backward pass then holds
        # the gradient of one layer at a time.
        for layer, features in self.network.iter_features(image):
            for name in self.on_features:
                if layer_of(name) == layer:
                    found[name] = self.on_features[name](features).to(image.device)
            for term, reading, own in zip(joint, readings, vectors, strict=True):
                if layer in reading:
                    own.append(reading[layer].of(features))
                if len(own) == len(reading):  # its last layer
                    value = term.weight * term.loss.compare(term.loss.joined(own))
                    found[term.part] = found.get(term.part, 0) + value.to(image.device)
                    own.clear()
        nothing = image[:0].sum()  # of a joint loss whose regions are all too small
        return {name: found.get(name, nothing) for name in self.on_features}

    def _add_image_losses(
        self, image: Tensor, parts: Parts, gradient: Tensor
    ) -> tuple[Parts, Tensor]:
        """Add the losses of the image, after the network's gradient has been scaled back."""
        if self.gradient_scale != 1:
            gradient = gradient.div_(self.gradient_scale)
        for name, loss in self.on_image.items():
            assert isinstance(loss, WeightedLoss)
            parts[name], by_image = loss.value_and_grad(image)
            gradient.add_(by_image)
            del by_image
        return parts, gradient

    def _overflowed(self, total: float, gradient: Tensor) -> bool:
        """Whether the gradient is infinite because of its scale, and a smaller one is left."""
        is_half = self.network.dtype == torch.float16
        if not is_half or self.gradient_scale <= LEAST_SCALE or not math.isfinite(total):
            return False
        return not bool(gradient.isfinite().all())


def summarise(parts: Mapping[str, float]) -> dict[str, float]:
    """Return ``total``, ``content``, ``style`` and ``tv`` (0 without such losses), then the parts.

    The total is the sum of the other three, and of the caller's own losses, which follow them.
    """
    own = (name.split("/")[0] for name in parts)
    sums = {
        kind: float(sum(value for name, value in parts.items() if name.split("/")[0] == kind))
        for kind in dict.fromkeys(("content", "style", "tv", *own))
    }
    return {"total": float(sum(parts.values())), **sums, **parts}


def layer_of(part: str) -> str:
    """Return the layer of a part such as ``style/relu1_1`` or ``style/relu1_1/mrf``."""
    return part.split("/")[1]
