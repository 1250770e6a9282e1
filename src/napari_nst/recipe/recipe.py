"""The recipe: what to optimise for and how, as plain data."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.controls import Control, choice, control_of, number, switch
from napari_nst.recipe.layer_weights import checked_layers

DEFAULT_CONTENT_LAYERS = {"relu4_2": 1.0}
DEFAULT_STYLE_LAYERS = {
    "relu1_1": 0.35, "relu2_1": 0.26, "relu3_1": 0.17, "relu4_1": 0.13, "relu5_1": 0.09,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a run needs to know, besides its images.

    A recipe is immutable, checked when it is made, and the only place where defaults live: the
    widgets and the terminal read them here. Make variants with `replace`, published ones with
    `napari_nst.preset`.

    Attributes
    ----------
    name : str
        The preset that this recipe started from.
    size, min_size : int
        Longest side of the finest and of the coarsest scale, in pixels. Scales between them are a
        factor of √2 apart, as in crowsonkb/style-transfer-pytorch. ``size=0`` works at the
        content's own size, ``min_size=0`` at one scale only.
    steps : int
        Iterations over all scales together.
    first_scale_share : float
        How many times as many of them the coarsest scale gets as each later one.
    content_layers, style_layers : mapping of str to float
        Layer name → weight. Names as in `napari_nst.recipe.layer_names`, aliases allowed.
    content_weight, style_weight, tv_weight : float
        Factors of the content losses, the style losses and total variation.
    style_loss : {"mean_covariance", "gram"}
        Which statistics of the features make a style.
    relative : bool
        Divide each content and style loss by its target's own energy, so that weights mean the
        same for every network, layer and size.
    init : {"content", "noise", "mix"}
        What the image starts from; ``mix`` blends in `init_noise` of noise.
    seed : int
        Of the noise. Same seed, same device, same result.
    weights : str
        Flavour of VGG-19 (``gatys``, ``torchvision``, ``caffe``) or a file.
    pooling : {"max", "average", "l2"}
    padding : {"zeros", "replicate", "reflect", "circular"}
    optimizer : {"lbfgs", "adam"}
    learning_rate : float
        Adam: in units of [0, 1] pixels per step. L-BFGS: a factor of its own step. 0 takes the
        usual one, 0.02 and 1.
    history : int
        How many past steps L-BFGS remembers.
    precision : {"auto", "float32", "bfloat16"}
        Of the network. Image, losses and optimiser are float32 always.
    device : str
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``.
    """

    name: str = field(default="default")

    size: int = number(
        384,
        "Longest side of the result in pixels; 0 works at the content's own size. More shows finer "
        "strokes and takes longer, in proportion to the area.",
        least=0, most=65536, step=64,
    )  # fmt: skip
    steps: int = number(
        150,
        "Iterations over all scales together. More refines the result further, fewer is a quick "
        "look.",
        least=1, most=1_000_000, step=20,
    )  # fmt: skip
    style_weight: float = number(
        8.0,
        "How strongly the result takes on the style. More paints more freely, less keeps closer "
        "to the content.",
        least=0.0, step=0.5,
    )  # fmt: skip
    content_weight: float = number(
        1.0,
        "How strongly the result keeps the shapes of the content. More keeps them sharper, less "
        "lets the style dissolve them.",
        least=0.0, step=0.1,
    )  # fmt: skip
    tv_weight: float = number(
        70.0,
        "Weight of total variation, the differences between neighbouring pixels. More is smoother, "
        "less is crisper but may be grainy.",
        least=0.0, step=0.5,
    )  # fmt: skip
    seed: int = number(
        0,
        "Seed of the noise. Another number gives another variant where the run starts from noise.",
        least=0, most=2**31 - 1,
    )  # fmt: skip

    init: str = choice(
        "content",
        "What the image starts from. Content keeps its composition, noise paints it anew, mix "
        "blends both.",
        "content", "noise", "mix",
    )  # fmt: skip
    init_noise: float = number(
        0.5,
        "Share of noise in a mixed start. More leaves the style freer, less stays nearer the "
        "content.",
        least=0.0, most=1.0, step=0.05,
    )  # fmt: skip
    min_size: int = number(
        180,
        "Longest side of the coarsest scale; 0 works at one scale only. Less gives larger strokes "
        "and shapes, more keeps the content's.",
        least=0, most=65536, step=32,
    )  # fmt: skip
    first_scale_share: float = number(
        1.6,
        "How many times as many steps the coarsest scale gets as each later one. More settles the "
        "composition, less leaves more steps for detail.",
        least=0.0, most=1000.0, step=0.1,
    )  # fmt: skip

    content_layers: Mapping[str, float] = field(default_factory=lambda: DEFAULT_CONTENT_LAYERS)
    style_layers: Mapping[str, float] = field(default_factory=lambda: DEFAULT_STYLE_LAYERS)
    style_loss: str = choice(
        "mean_covariance",
        "Which statistics of the features make a style. Mean and covariance keep more of its "
        "palette, Gram is the classic of 2015.",
        "mean_covariance", "gram",
    )  # fmt: skip
    relative: bool = switch(
        True,
        "Divide each loss by its target's own energy, so that weights mean the same for every "
        "network, layer and size. Published recipes switch it off.",
    )

    weights: str = choice(
        "gatys",
        "The pretrained VGG-19: gatys (normalised, as in the papers), torchvision, caffe, or a "
        "file of your own.",
    )
    pooling: str = choice(
        "max",
        "How the network shrinks its features. Max is crisper, average smoother, l2 between them.",
        "max", "average", "l2",
    )  # fmt: skip
    padding: str = choice(
        "replicate",
        "What the network sees beyond the border. Zeros darken the edge, replicate and reflect "
        "extend it, circular makes the result tile.",
        "zeros", "replicate", "reflect", "circular",
    )  # fmt: skip

    optimizer: str = choice(
        "lbfgs",
        "L-BFGS ends lower in the same time; Adam needs less memory and is steadier.",
        "lbfgs", "adam",
    )  # fmt: skip
    learning_rate: float = number(
        0.0,
        "Step length; 0 takes the optimiser's usual one, 1 for L-BFGS and 0.02 for Adam. More is "
        "faster but less steady, less is slower but safer.",
        least=0.0, most=1000.0, step=0.001,
    )  # fmt: skip
    history: int = number(
        20,
        "How many past steps L-BFGS remembers. More takes better steps and more memory, less is "
        "lighter.",
        least=1, most=1000,
    )  # fmt: skip
    precision: str = choice(
        "auto",
        "Number format of the network: auto takes bfloat16 where this machine is faster with it, "
        "float32 is slower and exact.",
        "auto", "float32", "bfloat16",
    )  # fmt: skip
    device: str = choice(
        "auto",
        "Where to compute: auto takes a CUDA GPU if there is one, then an Apple GPU, then the "
        "processor.",
    )

    def __post_init__(self) -> None:
        for recipe_field in dataclasses.fields(self):
            name, value = recipe_field.name, getattr(self, recipe_field.name)
            control = control_of(recipe_field)
            if control is not None:
                value = control.checked(name, value)
            elif name.endswith("_layers"):
                value = checked_layers(name, value)
            elif not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {value!r}.")
            object.__setattr__(self, name, value)
        if not any(
            weight and any(layers.values())
            for weight, layers in (
                (self.content_weight, self.content_layers),
                (self.style_weight, self.style_layers),
            )
        ):
            raise ValueError(
                "content_weight and style_weight are both 0, or the weights of all their layers; "
                "give one a value above 0."
            )

    def replace(self, **changes: Any) -> Recipe:
        """Return this recipe with some fields changed.

        Raises
        ------
        TypeError, ValueError
            If a field does not exist or its value is not allowed.
        """
        _refuse_unknown(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, strings and dicts."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}

    def to_json(self) -> str:
        """Return the recipe as JSON text that `from_json` reads back."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe from JSON text; fields that are left out have their defaults.

        Raises
        ------
        ValueError
            If the text is not a JSON object or names a field that does not exist.
        """
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"The recipe is not JSON: {error}.") from None
        if not isinstance(fields, dict):
            raise ValueError("The recipe must be a JSON object of fields, as to_json() writes it.")
        _refuse_unknown(fields)
        return cls(**fields)


CONTROLS: Mapping[str, Control] = MappingProxyType(
    {f.name: c for f in dataclasses.fields(Recipe) if (c := control_of(f)) is not None}
)
"""Field name → its `Control`, in the order in which a user wants to see them."""


def _refuse_unknown(changes: Mapping[str, Any]) -> None:
    known = [f.name for f in dataclasses.fields(Recipe)]
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
            raise ValueError(f"A recipe has no field {name!r}; {hint}")
