"""The losses, one module each, and the statistics of features that they compare.

Features come in the network's dtype. Statistics and losses are float32 (float64 for float64
features), because sums over all positions overflow or lose precision in 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_nst.engine.losses.base import (
    AnyExemplar,
    Exemplar,
    FeatureLoss,
    ImageLoss,
    MeasuredExemplar,
    MomentLoss,
    StyleLoss,
)
from napari_nst.engine.losses.content import ContentLoss
from napari_nst.engine.losses.gram import CentredGramLoss, GramLoss, ShiftedGramLoss
from napari_nst.engine.losses.guided import GuidedLoss
from napari_nst.engine.losses.mean_covariance import MeanCovarianceLoss
from napari_nst.engine.losses.moments import Moments, gradient_by_features, gram_matrix
from napari_nst.engine.losses.mrf import PatchLoss
from napari_nst.engine.losses.seam import SeamLoss
from napari_nst.engine.losses.sliced_wasserstein import SlicedWassersteinLoss
from napari_nst.engine.losses.total_variation import TotalVariationLoss
from napari_nst.engine.losses.wasserstein import WassersteinLoss

if TYPE_CHECKING:
    from napari_nst.recipe import Recipe

__all__ = [
    "STYLE_LOSSES",
    "AnyExemplar",
    "CentredGramLoss",
    "ContentLoss",
    "Exemplar",
    "FeatureLoss",
    "GramLoss",
    "GuidedLoss",
    "ImageLoss",
    "MeanCovarianceLoss",
    "MeasuredExemplar",
    "MomentLoss",
    "Moments",
    "PatchLoss",
    "SeamLoss",
    "ShiftedGramLoss",
    "SlicedWassersteinLoss",
    "StyleLoss",
    "TotalVariationLoss",
    "WassersteinLoss",
    "gradient_by_features",
    "gram_matrix",
    "moment_losses",
]

MakeStyleLoss = Callable[[Sequence[AnyExemplar], "Recipe", Tensor | None], StyleLoss]
"""Exemplars at one layer, recipe, mask of the image at that layer → loss."""


def _of_moments(kind: type[MomentLoss]) -> MakeStyleLoss:
    return lambda exemplars, recipe, mask: kind(exemplars, norm=recipe.style_norm, mask=mask)


def _sliced_wasserstein(
    exemplars: Sequence[AnyExemplar], recipe: Recipe, mask: Tensor | None
) -> StyleLoss:
    return SlicedWassersteinLoss(
        _with_features(exemplars, recipe),
        norm=recipe.style_norm,
        mask=mask,
        projections=recipe.projections,
        seed=recipe.seed,
    )


def _mrf(exemplars: Sequence[AnyExemplar], recipe: Recipe, mask: Tensor | None) -> StyleLoss:
    return PatchLoss(
        _with_features(exemplars, recipe),
        norm=recipe.style_norm,
        mask=mask,
        patch_size=recipe.patch_size,
        stride=recipe.patch_stride,
    )


def _with_features(exemplars: Sequence[AnyExemplar], recipe: Recipe) -> list[Exemplar]:
    """Refuse measured exemplars with a TypeError."""
    with_features = [exemplar for exemplar in exemplars if isinstance(exemplar, Exemplar)]
    if len(with_features) < len(exemplars):
        raise TypeError(
            f"style_loss {recipe.style_loss} compares features themselves, which a "
            f"MeasuredExemplar does not have; give an Exemplar."
        )
    return with_features


STYLE_LOSSES: dict[str, MakeStyleLoss] = {
    "gram": _of_moments(GramLoss),
    "shifted_gram": _of_moments(ShiftedGramLoss),
    "centred_gram": _of_moments(CentredGramLoss),
    "mean_covariance": _of_moments(MeanCovarianceLoss),
    "wasserstein": _of_moments(WassersteinLoss),
    "sliced_wasserstein": _sliced_wasserstein,
    "mrf": _mrf,
}
"""Recipe's `style_loss` → function that makes the loss of one layer."""


def moment_losses(loss: nn.Module) -> list[tuple[float, MomentLoss]] | None:
    """Return the moment losses that a loss is the weighted sum of.

    Parameters
    ----------
    loss : nn.Module
        Any loss of features.

    Returns
    -------
    list of (float, MomentLoss) or None
        Factor and loss of each summand; empty for a `GuidedLoss` without regions; None if the loss
        contains a loss of another kind.
    """
    summands = loss.summands if isinstance(loss, GuidedLoss) else [(1.0, loss)]
    found = [(factor, one) for factor, one in summands if isinstance(one, MomentLoss)]
    return found if len(found) == len(summands) else None
