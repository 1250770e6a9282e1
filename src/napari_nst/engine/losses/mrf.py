"""The Markov random field loss: every patch should look like some patch of the style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.losses.base import Exemplar, StyleLoss
from napari_nst.engine.losses.moments import energy, full_precision, refuse_other_size

MOST_SIMILARITIES = 2**24
"""How many similarities of patches are computed at a time: 64 MB of float32."""


class PatchLoss(StyleLoss):
    """Squared difference of each patch of features from the most similar patch of a style.

    Li & Wand 2016, "Combining Markov Random Fields and Convolutional Neural Networks for Image
    Synthesis". Similarity is the cosine, their normalised cross-correlation; the choice of the most
    similar patch has no gradient. A feature that several patches cover counts once, with the mean
    of its squared differences in these patches, so that the stride causes no grid pattern. This is
    the gradient of Li and Wand's program, while the formula in their paper counts it several times.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles. Their patches are searched together, so shares have no effect.
    norm : {"mean", "relative", "sum"}
        Mean over covered features; that divided by the mean square of the styles' patches; or the
        sum over covered features. Li and Wand's factor ½ is part of the weight.
    mask : Tensor, optional
        (1, 1, H, W). Of the image as of the styles, a patch counts if all of its positions have a
        mask above 0.5.
    patch_size, stride : int
        Side of the patches and distance between them, in features. Features at the bottom and at
        the right that are left after the last whole stride are not covered. ValueError if features
        or the region of a mask are too small for a patch.
    """

    norms: ClassVar = ("relative", "mean", "sum")
    styles: Tensor
    lengths: Tensor
    selected: Tensor | None

    def __init__(
        self,
        exemplars: Sequence[Exemplar],
        *,
        norm: str = "mean",
        mask: Tensor | None = None,
        patch_size: int = 3,
        stride: int = 2,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.patch_size = patch_size
        self.stride = stride
        pool = [self._patches(e.features.detach(), self._indices(e.mask)) for e in exemplars]
        styles = torch.cat(pool)
        # A patch of zeros is similar to no patch; its length must not be a divisor of 0.
        lengths = torch.linalg.vector_norm(styles, dim=1).clamp_min(1e-8)
        self.register_buffer("styles", styles, persistent=False)
        self.register_buffer("lengths", lengths, persistent=False)
        self.register_buffer("selected", self._indices(mask), persistent=False)
        self.energy = energy(styles)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles'."""
        if self.mask is not None:
            refuse_other_size(self.mask, features.shape[2:])
        patches = self._patches(features, self.selected)
        difference = patches - self.styles[self._nearest(patches.detach())]
        channels = features.shape[1]
        per_position = difference.square().view(len(difference), channels, -1).sum(dim=1)
        weights = self._weights(features)
        total = (per_position * weights).sum()
        if self.norm == "sum":
            return total
        mean = total / (weights.sum() * channels)
        return mean / self.energy if self.norm == "relative" else mean

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{super().extra_repr()}, patch_size={self.patch_size}, stride={self.stride}"

    @torch.no_grad()
    def _nearest(self, patches: Tensor) -> Tensor:
        """Return, for each patch (L, C·k²), the index of the most similar patch of the styles."""
        # The similarity is the cosine times the length of the image's patch, a common factor.
        rows = max(1, MOST_SIMILARITIES // len(self.styles))
        similarities = (
            (some @ self.styles.mT).div_(self.lengths) for some in torch.split(patches, rows)
        )
        return torch.cat([of_some.argmax(dim=1) for of_some in similarities])

    @torch.no_grad()
    def _weights(self, features: Tensor) -> Tensor:
        """Return, for each position of each patch (L, k²), 1 / the number of patches there."""
        size = (features.shape[2], features.shape[3])
        counts = self._unfolded(self.styles.new_ones(1, 1, *size))
        if self.selected is not None:
            counts = torch.zeros_like(counts).index_fill(0, self.selected, 1)
        cover = functional.fold(counts.mT[None], size, self.patch_size, stride=self.stride)
        return 1 / self._patches(cover, self.selected)

    def _patches(self, features: Tensor, selected: Tensor | None) -> Tensor:
        """Return the patches of features (1, C, H, W) that count, (L, C·k²)."""
        patches = self._unfolded(full_precision(features))
        return patches if selected is None else patches[selected]

    def _indices(self, mask: Tensor | None) -> Tensor | None:
        """Return the indices of the patches whose positions all have a mask above 0.5."""
        if mask is None:
            return None
        selected = (self._unfolded(full_precision(mask)) > 0.5).all(dim=1).nonzero().squeeze(1)
        if not len(selected):
            raise ValueError(
                f"mask marks no whole patch of {self.patch_size} × {self.patch_size} features; "
                "mark a larger region or take a smaller patch_size."
            )
        return selected

    def _unfolded(self, maps: Tensor) -> Tensor:
        """Return all patches of maps (1, C, H, W) as (L, C·k²)."""
        height, width = maps.shape[2:]
        size = self.patch_size
        if min(height, width) < size:
            raise ValueError(
                f"Features of {height} × {width} are smaller than a patch; "
                f"take a patch_size of at most {min(height, width)} instead of {size}."
            )
        return functional.unfold(maps, size, stride=self.stride)[0].mT
