"""Losses of vectors: features at random positions of an image, of one layer or of several joined.

A loss of all pairs of positions is affordable for some thousand of them only (Kolkin et al. 2019,
"Style Transfer by Relaxed Optimal Transport and Self-Similarity").
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.device import multiplies_bfloat16
from napari_nst.engine.losses.base import (
    Exemplar,
    FeatureLoss,
    SampledExemplar,
    StyleLoss,
    selected_positions,
)
from napari_nst.engine.losses.moments import FEWEST_CHANNELS, full_precision, refuse_other_size
from napari_nst.recipe.layer_names import poolings_before

Shape = tuple[int, int]
"""Height and width."""

Window = tuple[slice, slice]
"""Rows and columns."""

ONE_LAYER: Mapping[str, float] = {"": 1.0}
"""What a loss reads that compares one layer, whichever it is."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Where vectors are read in one layer: rows of features (H·W, C), and their weights.

    Both are (K, m); without weights, m is 1.
    """

    rows: Tensor
    weights: Tensor | None = None

    def of(self, features: Tensor) -> Tensor:
        """Return features (1, C, H, W) at these rows as vectors (K, C) in full precision."""
        rows = self.rows.to(features.device)
        found = full_precision(as_rows(features).index_select(0, rows.flatten()))
        if self.weights is None:
            return found
        weights = self.weights.to(found)
        return (found.view(*rows.shape, -1) * weights[..., None]).sum(dim=1)

    def in_window(self, window: Window, width: int) -> Reading:
        """Return what is read in a window of the layer, which has a width: rows of the window.

        Entries outside the window have a weight of 0.
        """
        (top, bottom), (left, right) = ((side.start, side.stop) for side in window)
        y, x = self.rows // width, self.rows % width
        inside = (top <= y) & (y < bottom) & (left <= x) & (x < right)
        rows = torch.where(inside, (y - top) * (right - left) + x - left, 0)
        weights = inside if self.weights is None else self.weights * inside
        return Reading(rows, weights.to(torch.float32))

    def gradient(self, by_vectors: Tensor, features: Tensor) -> Tensor:
        """Return the gradient by features (1, C, H, W), given that by the vectors (K, C)."""
        weights = by_vectors.new_ones(self.rows.shape) if self.weights is None else self.weights
        spread_out = by_vectors[:, None] * weights.to(by_vectors)[..., None]
        rows = as_rows(torch.zeros_like(features, memory_format=torch.channels_last))
        rows.index_add_(0, self.rows.flatten().to(rows.device), spread_out.flatten(0, 1).to(rows))
        height, width = features.shape[2:]
        return rows.view(1, height, width, -1).permute(0, 3, 1, 2)


class Sampled(FeatureLoss):
    """A loss of features at random positions, new ones after each `redraw`.

    The positions are evenly spread over those of the first layer that the mask selects; all of
    them, if they are few. Deeper layers are read between their positions. Classes that inherit
    from this one call `_start_drawing` when they are made.
    """

    layers: Mapping[str, float]
    """Joined to one vector for each position, times their factors."""

    random_state: Tensor
    """From which the current positions were drawn."""

    def _start_drawing(self, samples: int, layers: Mapping[str, float], seed: int) -> None:
        """Set how many positions of which layers are compared, and draw the first ones."""
        self.samples, self.layers = samples, layers
        selected = selected_positions(self.mask)
        self._selected = None if selected is None else selected.cpu()
        # Random numbers of the CPU are the same everywhere; every GPU has its own.
        self._generator = torch.Generator().manual_seed(seed)
        self.redraw()

    def redraw(self, state: Tensor | None = None) -> None:
        """Draw the positions of all evaluations until the next call, or again those of a state."""
        if state is not None:
            self._generator.set_state(state)
        self.random_state = self._generator.get_state()
        # One number at each call, so that it does not matter whether there is an evaluation.
        self._seed = int(torch.randint(2**62, (), generator=self._generator))

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) of the only layer at the current positions."""
        (layer,) = self.layers
        size = (features.shape[2], features.shape[3])
        return self.compare(self.joined([self.readings(size)[layer].of(features)]))

    def readings(self, size: Shape) -> dict[str, Reading]:
        """Return where the current positions are read in each layer.

        `size` is that of the first layer.
        """
        if self.mask is not None:
            refuse_other_size(self.mask, size)
        candidates = self.candidates(size)
        positions = candidates[self.ranks(len(candidates))]
        return readings_of(positions, size, self.layers)

    def all_readings(self, size: Shape) -> dict[str, Reading]:
        """Return where all positions that can be drawn are read, as `readings`."""
        return readings_of(self.candidates(size), size, self.layers)

    def candidates(self, size: Shape) -> Tensor:
        """Return the positions of the first layer that can be drawn."""
        return torch.arange(size[0] * size[1]) if self._selected is None else self._selected

    def ranks(self, count: int) -> Tensor:
        """Return the indices of the current positions among so many candidates."""
        return spread(count, self.samples, torch.Generator().manual_seed(self._seed))

    def joined(self, vectors: Sequence[Tensor]) -> Tensor:
        """Join the vectors (K, C) of all layers, in their order."""
        return joined(vectors, self.layers)

    @abstractmethod
    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image, at the current positions, with the targets."""


class SampledStyleLoss(Sampled, StyleLoss):
    """A loss that compares vectors of the image with vectors of the styles.

    Parameters
    ----------
    exemplars : sequence of Exemplar or SampledExemplar
        The styles.
    norm : {"relative", "mean"}
        How the error is scaled; both are the same for losses of cosines, which have no scale.
    mask : Tensor, optional
        (1, 1, H, W). Of the image as of the styles, positions with a mask above 0.5 count.
    samples, style_samples : int
        The largest numbers of vectors of the image, drawn at each `redraw`, and of each style.
    layers : mapping of str to float
        The layers that are joined, with their factors; one by default.
    seed : int
        Of the random positions.
    """

    styles: Tensor
    """(n, C), the vectors of all styles."""

    weights: Tensor
    """(n,); those of a style add up to its share, however few positions it has."""

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        samples: int = 1024,
        style_samples: int = 4096,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        found = [
            sampled_exemplar({"": e.features}, ONE_LAYER, e.share, e.mask, style_samples, seed)
            if isinstance(e, Exemplar)
            else e
            for e in exemplars
            if e.share
        ]
        styles = torch.cat([one.vectors for one in found])
        weights = [styles.new_full((len(e.vectors),), e.share / len(e.vectors)) for e in found]
        self.register_buffer("styles", styles, persistent=False)
        self.register_buffer("weights", torch.cat(weights), persistent=False)
        self.exact = all(one.exact for one in found)
        self._start_drawing(samples, layers, seed)

    def extra_repr(self) -> str:
        """Return the settings."""
        sizes = f"samples={self.samples}, style_samples={len(self.styles)}"
        return f"{super().extra_repr()}, {sizes}"


def readings_of(positions: Tensor, size: Shape, layers: Mapping[str, float]) -> dict[str, Reading]:
    """Return where positions (K,) of the first of some layers, of a size, are read in each."""
    first = next(iter(layers))
    return {
        layer: _reading(positions, size, _halvings(layer) - _halvings(first)) for layer in layers
    }


def _halvings(layer: str) -> int:
    return poolings_before(layer) if layer else 0


def _reading(positions: Tensor, size: Shape, halvings: int) -> Reading:
    if not halvings:
        return Reading(positions[:, None])
    height, width = (max(1, side >> halvings) for side in size)
    rows, columns = positions // size[1], positions % size[1]
    (top, bottom), of_rows = _between(rows, height, halvings)
    (left, right), of_columns = _between(columns, width, halvings)
    corners = [y * width + x for y in (top, bottom) for x in (left, right)]
    weights = [a * b for a in (1 - of_rows, of_rows) for b in (1 - of_columns, of_columns)]
    return Reading(torch.stack(corners, dim=1), torch.stack(weights, dim=1))


def _between(positions: Tensor, length: int, halvings: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the positions of a deeper layer before and after, and the share of the second."""
    exact = ((positions + 0.5) / 2**halvings - 0.5).clamp(0, length - 1)
    before = exact.floor()
    after = (before + 1).clamp_max(length - 1)
    return (before.long(), after.long()), exact - before


def joined(vectors: Sequence[Tensor], layers: Mapping[str, float]) -> Tensor:
    """Join vectors (K, C) of several layers, times the layers' factors."""
    scaled = [
        one if factor == 1 else one * factor
        for one, factor in zip(vectors, layers.values(), strict=True)
    ]
    return scaled[0] if len(scaled) == 1 else torch.cat(scaled, dim=1)


def spread(count: int, number: int, generator: torch.Generator) -> Tensor:
    """Draw indices below `count`, one out of each of `number` equal runs; all if they are fewer."""
    if count <= number:
        return torch.arange(count)
    offsets = torch.rand(number, generator=generator, dtype=torch.float64)
    exact = (torch.arange(number, dtype=torch.float64) + offsets) * (count / number)
    return exact.long().clamp_max(count - 1)


def size_at(layer: str, shape: Shape) -> Shape:
    """Return height and width of a layer for an image of some height and width."""
    halvings = _halvings(layer)
    return shape[0] >> halvings, shape[1] >> halvings


def as_rows(features: Tensor) -> Tensor:
    """Return features (1, C, H, W) as (H·W, C); a view if memory format is channels last."""
    return features[0].permute(1, 2, 0).flatten(0, 1)


def style_readings(
    size: Shape, layers: Mapping[str, float], mask: Tensor | None, number: int, seed: int
) -> dict[str, Reading]:
    """Return where a style's vectors are read; size and mask are those of the first layer."""
    selected = selected_positions(mask)
    candidates = torch.arange(size[0] * size[1]) if selected is None else selected.cpu()
    ranks = spread(len(candidates), number, torch.Generator().manual_seed(seed))
    return readings_of(candidates[ranks], size, layers)


@torch.no_grad()
def sampled_exemplar(
    features: Mapping[str, Tensor],
    layers: Mapping[str, float],
    share: float,
    mask: Tensor | None,
    number: int,
    seed: int,
) -> SampledExemplar:
    """Return a style's vectors at some positions; `mask` is of positions of the first layer."""
    first = features[next(iter(layers))]
    readings = style_readings((first.shape[2], first.shape[3]), layers, mask, number, seed)
    vectors = [reading.of(features[layer]) for layer, reading in readings.items()]
    return SampledExemplar(joined(vectors, layers), share, first.dtype != torch.bfloat16)


def directions(vectors: Tensor, *, centred: bool) -> Tensor:
    """Return vectors (K, C), less their mean if `centred`, divided by their lengths."""
    if centred:
        vectors = vectors - vectors.mean(dim=0)
    return functional.normalize(vectors, dim=1, eps=1e-8)


def for_search(directions: Tensor, *, exact: bool) -> Tensor:
    """Return directions (K, C) in the format in which their products are fastest.

    Products of directions in bfloat16 have an error of 0.002. They choose pairs whose distances
    are then computed exactly, and so differ from the least distance by as much at most.
    """
    few = directions.shape[1] < FEWEST_CHANNELS
    is_slow = few or exact or not multiplies_bfloat16(directions.device)
    return directions if is_slow else directions.to(torch.bfloat16)
