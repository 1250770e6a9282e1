"""Published recipes, each number with its source beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_nst.recipe.recipe import Recipe


def _default() -> Recipe:
    """Ours: losses relative to their targets, coarse to fine, L-BFGS."""
    return Recipe()


def _gatys_2016() -> Recipe:
    """Gatys et al. 2016 on the normalised network they published with it."""
    # Source: leongatys/NeuralImageSynthesis, cced0b9, ExampleNotebooks/BasicStyleTransfer, where
    # it says "norm net".
    classic_layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    return Recipe(
        name="gatys-2016",
        weights="gatys",  # the normalised VGG-19 that these weights were tuned for
        content_layers={"relu4_2": 1.0},
        content_weight=1e6,  # × mean (F − P)²
        style_layers=dict.fromkeys(classic_layers, 0.2),
        style_weight=1e9,  # 1e9/5 per layer × mean (G/M − A/M)²
        style_loss="gram",
        relative=False,
        tv_weight=0.0,
        size=512,  # the source: 512² pixels of area, here the longest side
        min_size=0,  # one scale; their 1024-pixel second pass is `size=1024, min_size=512`
        steps=500,  # evaluations of the objective
        init="content",
        optimizer="lbfgs",
        learning_rate=1.0,
        history=100,  # of Torch 7's and PyTorch's L-BFGS alike
        pooling="max",
        padding="zeros",
    )


_PRESETS: dict[str, Callable[[], Recipe]] = {
    "default": _default,
    "gatys-2016": _gatys_2016,
}


def preset_names() -> list[str]:
    """Return the names of the published recipes, the default first."""
    return list(_PRESETS)


def preset(name: str = "default", **changes: Any) -> Recipe:
    """Return a published recipe, with fields replaced.

    Parameters
    ----------
    name : str
        One of `preset_names`.
    **changes
        Fields of `Recipe` to replace, as ``preset("gatys-2016", steps=300)``.

    Raises
    ------
    ValueError
        If there is no such preset or field, or a value is not allowed.
    """
    return _find(name)().replace(**changes)


def preset_summary(name: str) -> str:
    """Return one line that says whose recipe a preset is."""
    return (_find(name).__doc__ or "").strip()


def _find(name: str) -> Callable[[], Recipe]:
    if name not in _PRESETS:
        raise ValueError(f"There is no preset {name!r}; choose from {', '.join(_PRESETS)}.")
    return _PRESETS[name]
