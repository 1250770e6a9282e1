"""Register published recipes as presets; the settings and units that published programs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.recipe import Recipe

MakeRecipe = Callable[[], Recipe]


@dataclass(frozen=True)
class Published:
    """A preset: its job, its source, and its recipes."""

    name: str
    job: str  # transfer, texture, reconstruction or solid
    summary: str
    source: str  # paper, article or program, with the commit
    recipes: Mapping[str, Recipe] = field(repr=False)  # flavour → recipe, the preset's own first

    @property
    def flavour(self) -> str:
        """The flavour of the network that the preset's weights were tuned for."""
        return next(iter(self.recipes))

    def recipe_for(self, flavour: str) -> Recipe:
        """Return the recipe that the source has for a flavour, or else the preset's own."""
        return self.recipes.get(flavour, self.recipes[self.flavour])


REGISTERED: dict[str, Published] = {}
"""Name → preset, in the order in which they were registered."""


def register(
    *, job: str, source: str, variants: tuple[MakeRecipe, ...] = ()
) -> Callable[[MakeRecipe], MakeRecipe]:
    """Register a function's recipe, and `variants` for other flavours; its docstring sums it up."""

    def add(make: MakeRecipe) -> MakeRecipe:
        name = make.__name__.replace("_", "-")
        recipes = [maker().replace(name=name) for maker in (make, *variants)]
        by_flavour = MappingProxyType({recipe.weights: recipe for recipe in recipes})
        summary = (make.__doc__ or "").partition("\n")[0]
        REGISTERED[name] = Published(name, job, summary, source, by_flavour)
        return make

    return add


CHANNELS: Mapping[str, int] = MappingProxyType(
    {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512}
)
"""The classic style layers, the first of each block → number of channels."""

CLASSIC = tuple(CHANNELS)

# Differences of white and black: for pixels of 0–255, and for channels that are divided by their
# standard deviations over ImageNet, which are 0.229, 0.224 and 0.225, on average 0.226.
BYTES, NORMALISED = 255.0, 1 / 0.226

UNIT_NOISE = 1 / BYTES  # standard deviation of N(0, 1) on pixels of 0–255, as in Gatys' programs

_COMMON: Mapping[str, Any] = {
    "min_size": 0,  # one scale
    "first_scale_share": 1.0,
    "content_norm": "mean",
    "style_loss": "gram",
    "style_norm": "mean",
    "tv_weight": 0.0,
    "style_scale": 1.0,
    "style_sizing": "fit",
    "init": "content",
    "noise": "normal",
    "noise_spread": 0.25,  # ours, if the source does not say
    "color": "style",
    "image_range": "free",  # clipped when the image is saved, not while it is optimised
    "network_input": "own",
    "pooling": "max",
    "rescale_pooling": False,
    "padding": "zeros",  # VGG's own
    "optimizer": "lbfgs",
    # The defaults of L-BFGS in Torch 7 and in PyTorch.
    "learning_rate": 0.0,  # the default: 1 for L-BFGS
    "history": 100,
    "line_search": False,
    "ema": 0.0,
}


def published_recipe(**fields: Any) -> Recipe:
    """Make a recipe whose other fields have the values that published programs share.

    Four settings are ours in every recipe: `size` is the longest side, a style keeps its aspect
    ratio and is never enlarged, the length of the first L-BFGS step does not depend on the weights,
    and `precision` suits the machine.
    """
    return Recipe(**{**_COMMON, **fields})


def adam(
    rate: float, *, white: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> dict[str, Any]:
    """Return the fields of Adam for [0, 1] pixels; `white` is the source's `BYTES` or `NORMALISED`.

    Gradients are larger by that factor here, and so is `epsilon`. The defaults are those of
    TensorFlow 1, PyTorch and Torch 7.
    """
    return {
        "optimizer": "adam",
        "learning_rate": rate / white,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon * white,
    }
