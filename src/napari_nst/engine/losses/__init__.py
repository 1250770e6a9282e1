"""The losses, one module each, and the statistics of features that they compare.

Features come in the network's dtype. Statistics and losses are float32 (float64 for float64
features), because sums over all positions overflow or lose precision in 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from napari_nst.engine.losses.autocorrelation import AutocorrelationLoss
from napari_nst.engine.losses.base import (
    AnyExemplar,
    Exemplar,
    FeatureLoss,
    ImageLoss,
    MeasuredExemplar,
    MomentLoss,
    SampledExemplar,
    StyleLoss,
)
from napari_nst.engine.losses.content import ContentLoss
from napari_nst.engine.losses.gram import (
    CentredGramLoss,
    GramLoss,
    MeanCovarianceLoss,
    MeanStdLoss,
    ShiftedGramLoss,
)
from napari_nst.engine.losses.guided import GuidedLoss
from napari_nst.engine.losses.moments import Moments, gradient_by_features, gram_matrix
from napari_nst.engine.losses.mrf import PatchLoss
from napari_nst.engine.losses.nearest_neighbours import NearestNeighbourLoss
from napari_nst.engine.losses.remd import PaletteLoss, RelaxedEMDLoss
from napari_nst.engine.losses.sampled import ONE_LAYER, Sampled, SampledStyleLoss
from napari_nst.engine.losses.sampled_moments import SampledMomentsLoss
from napari_nst.engine.losses.sampled_wasserstein import SampledWassersteinLoss
from napari_nst.engine.losses.self_similarity import SelfSimilarityLoss
from napari_nst.engine.losses.spectrum import SpectrumLoss, TwoPointLoss
from napari_nst.engine.losses.total_variation import SeamLoss, TotalVariationLoss
from napari_nst.engine.losses.wasserstein import (
    SlicedRowsLoss,
    SlicedWassersteinLoss,
    WassersteinLoss,
)

if TYPE_CHECKING:
    from napari_nst.recipe import Recipe

__all__ = [
    "STYLE_LOSSES", "STYLE_LOSSES_OF_IMAGE", "AnyExemplar", "AutocorrelationLoss",
    "CentredGramLoss", "ContentLoss", "Exemplar", "FeatureLoss", "GramLoss", "GuidedLoss",
    "ImageLoss", "MeanCovarianceLoss", "MeanStdLoss", "MeasuredExemplar", "MomentLoss", "Moments",
    "NearestNeighbourLoss", "PaletteLoss", "PatchLoss", "RelaxedEMDLoss", "Sampled",
    "SampledExemplar", "SampledMomentsLoss", "SampledWassersteinLoss", "SeamLoss",
    "SelfSimilarityLoss", "ShiftedGramLoss", "SlicedRowsLoss", "SlicedWassersteinLoss",
    "SpectrumLoss", "StyleLoss", "TotalVariationLoss", "TwoPointLoss", "WassersteinLoss",
    "content_loss", "gradient_by_features", "gram_matrix", "moment_losses", "sampled_losses",
]  # fmt: skip

MakeStyleLoss = Callable[..., StyleLoss]
"""Exemplars, recipe, mask of the image at the first layer, layers if several are joined → loss."""


def _make(kind: type[StyleLoss], **fields: str) -> MakeStyleLoss:
    """Return the function for a class; `fields` maps its own parameters to fields of a recipe."""

    def make(
        exemplars: Sequence[AnyExemplar | SampledExemplar],
        recipe: Recipe,
        mask: Tensor | None,
        layers: Mapping[str, float] = ONE_LAYER,
    ) -> StyleLoss:
        settings: dict[str, Any] = {own: getattr(recipe, field) for own, field in fields.items()}
        if issubclass(kind, SampledStyleLoss):
            settings["layers"] = layers
        return kind(exemplars, norm=recipe.style_norm, mask=mask, **settings)

    return make


_SAMPLED = {"samples": "samples", "style_samples": "style_samples", "seed": "seed"}

STYLE_LOSSES: dict[str, MakeStyleLoss] = {
    "gram": _make(GramLoss),
    "shifted_gram": _make(ShiftedGramLoss),
    "centred_gram": _make(CentredGramLoss),
    "mean_covariance": _make(MeanCovarianceLoss),
    "wasserstein": _make(WassersteinLoss),
    "mean_std": _make(MeanStdLoss),
    "sliced_wasserstein": _make(SlicedWassersteinLoss, projections="projections", seed="seed"),
    "sliced_rows": _make(SlicedRowsLoss, projections="projections", seed="seed"),
    "autocorrelation": _make(AutocorrelationLoss),
    "mrf": _make(PatchLoss, patch_size="patch_size", stride="patch_stride"),
    "remd": _make(RelaxedEMDLoss, centred="centred_cosine", **_SAMPLED),
    "nn": _make(NearestNeighbourLoss, centred="centred_cosine", targets="nn_targets", **_SAMPLED),
    "moments": _make(SampledMomentsLoss, **_SAMPLED),
    "sampled_wasserstein": _make(SampledWassersteinLoss, projections="projections", **_SAMPLED),
}
"""Recipe's `style_loss` → function that makes the loss of one layer, or of several joined ones."""

STYLE_LOSSES_OF_IMAGE: dict[str, MakeStyleLoss] = {
    "palette": _make(PaletteLoss, **_SAMPLED),
    "spectrum": _make(SpectrumLoss),
    "two_point": _make(TwoPointLoss),
}
"""Recipe's `style_loss` → function that makes the loss of the image itself."""


def content_loss(
    features: Mapping[str, Tensor],
    recipe: Recipe,
    mask: Tensor | None,
    layers: Mapping[str, float],
) -> FeatureLoss:
    """Return the content loss of one layer, or of several joined ones.

    `features` are the content's, `mask` is of the first layer.
    """
    norm = recipe.content_norm
    if recipe.content_loss == "features":
        return ContentLoss(features[next(iter(layers))], norm=norm, mask=mask)
    return SelfSimilarityLoss(
        features, norm=norm, mask=mask, samples=recipe.samples, layers=layers, seed=recipe.seed
    )


def moment_losses(loss: nn.Module) -> list[tuple[float, MomentLoss]] | None:
    """Return factor and loss of each moment loss in a sum; None if it has losses of other kinds."""
    summands = _summands(loss)
    found = [(factor, one) for factor, one in summands if isinstance(one, MomentLoss)]
    return found if len(found) == len(summands) else None


def sampled_losses(loss: nn.Module) -> list[tuple[float, Sampled]] | None:
    """Return factor and loss of each sampled loss in a sum; None if it has other losses."""
    summands = _summands(loss)
    found = [(factor, one) for factor, one in summands if isinstance(one, Sampled)]
    return found if len(found) == len(summands) else None


def _summands(loss: nn.Module) -> list[tuple[float, nn.Module]]:
    return loss.summands if isinstance(loss, GuidedLoss) else [(1.0, loss)]
