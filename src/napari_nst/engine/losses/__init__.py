"""The losses, one small module each, and the statistics of features that they compare.

Features come in the network's number format; statistics and losses are float32 (or the float64
that a gradient check hands in), because sums over all positions overflow or drown in less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, FeatureLoss, StyleLoss
from napari_nst.engine.losses.content import ContentLoss
from napari_nst.engine.losses.gram import CentredGramLoss, GramLoss, ShiftedGramLoss
from napari_nst.engine.losses.guided import GuidedLoss
from napari_nst.engine.losses.mean_covariance import MeanCovarianceLoss
from napari_nst.engine.losses.patches import PatchLoss
from napari_nst.engine.losses.seam import SeamLoss
from napari_nst.engine.losses.sliced_wasserstein import SlicedWassersteinLoss
from napari_nst.engine.losses.statistics import gram_matrix, mean_and_second_moment
from napari_nst.engine.losses.total_variation import TotalVariationLoss
from napari_nst.engine.losses.wasserstein import WassersteinLoss

if TYPE_CHECKING:
    from napari_nst.recipe import Recipe

__all__ = [
    "STYLE_LOSSES",
    "CentredGramLoss",
    "ContentLoss",
    "Exemplar",
    "FeatureLoss",
    "GramLoss",
    "GuidedLoss",
    "MeanCovarianceLoss",
    "PatchLoss",
    "SeamLoss",
    "ShiftedGramLoss",
    "SlicedWassersteinLoss",
    "StyleLoss",
    "TotalVariationLoss",
    "WassersteinLoss",
    "gram_matrix",
    "mean_and_second_moment",
]

MakeStyleLoss = Callable[[Sequence[Exemplar], "Recipe", Tensor | None], StyleLoss]
"""Exemplars at one layer, recipe, mask of the image at that layer → loss."""


def _plain(kind: type[StyleLoss]) -> MakeStyleLoss:
    """Return what makes a loss that has no settings but its norm."""
    return lambda exemplars, recipe, mask: kind(exemplars, norm=recipe.style_norm, mask=mask)


def _sliced_wasserstein(
    exemplars: Sequence[Exemplar], recipe: Recipe, mask: Tensor | None
) -> StyleLoss:
    return SlicedWassersteinLoss(
        exemplars,
        norm=recipe.style_norm,
        mask=mask,
        projections=recipe.projections,
        seed=recipe.seed,
    )


def _mrf(exemplars: Sequence[Exemplar], recipe: Recipe, mask: Tensor | None) -> StyleLoss:
    return PatchLoss(
        exemplars,
        norm=recipe.style_norm,
        mask=mask,
        patch_size=recipe.patch_size,
        stride=recipe.patch_stride,
    )


STYLE_LOSSES: dict[str, MakeStyleLoss] = {
    "gram": _plain(GramLoss),
    "shifted_gram": _plain(ShiftedGramLoss),
    "centred_gram": _plain(CentredGramLoss),
    "mean_covariance": _plain(MeanCovarianceLoss),
    "wasserstein": _plain(WassersteinLoss),
    "sliced_wasserstein": _sliced_wasserstein,
    "mrf": _mrf,
}
"""Recipe's `style_loss` → what makes the loss of one layer."""
