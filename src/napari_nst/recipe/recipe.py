"""The recipe: what to optimise for and how, as plain data."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_nst.io.record import record_of
from napari_nst.recipe.computation import LEAST_TILE, Network, Optimizer
from napari_nst.recipe.fields import Control, control_of
from napari_nst.recipe.likeness import MOMENT_LOSSES, NORMS, Likeness
from napari_nst.recipe.picture import Colour, Schedule, Start

_SECTIONS = {
    "Size and steps": Schedule,
    "Likeness": Likeness,
    "Start": Start,
    "Colours": Colour,
    "Network": Network,
    "Optimiser": Optimizer,
}


@dataclass(frozen=True, kw_only=True)
class Recipe(Optimizer, Network, Colour, Start, Likeness, Schedule):
    """Everything that a run needs to know, besides its images.

    A recipe is immutable, checked when it is made, and the only place where defaults live: the
    widgets and the terminal read them here. Make variants with `replace`, published ones with
    `napari_nst.preset`. Its other fields are those of the sections that it is made of, where each
    has its explanation: `Schedule`, `Likeness`, `Start`, `Colour`, `Network` and `Optimizer`.

    Attributes
    ----------
    name : str
        The preset that this recipe started from.
    size, min_size, scale_ratio : int, int, float
        Longest side of the finest and of the coarsest scale, in pixels, and the factor between
        neighbouring scales. ``size=0`` works at the content's own size, ``min_size=0`` at one
        scale only.
    steps, first_scale_share : int, float
        Iterations over all scales together, and how many times as many of them the coarsest scale
        gets as each later one.
    content_layers, style_layers : mapping of str to float
        Layer name → weight. Names as in `napari_nst.recipe.layer_names`, aliases allowed.
    content_weight, style_weight, tv_weight : float
        Factors of the content losses, the style losses and total variation.
    content_norm, style_loss, style_norm, tv_loss, tv_exponent
        The losses and how they are scaled: see `napari_nst.losses`.
    style_scale, style_sizing, style_blend
        How large a style is beside the content, and how much each of several styles counts.
    init, noise, noise_spread, init_noise, seed
        What the image starts from. Same seed, same device, same result.
    color, channels, image_range
        Whose colours the picture has, whether it is grey, and how its values stay in range.
    weights, network_input, pooling, rescale_pooling, padding
        The network: its flavour (``gatys``, ``torchvision``, ``caffe``) or file, and its changes.
    optimizer, learning_rate, history, line_search, beta1, beta2, epsilon, ema
        How steps are made. Adam's rate is in units of [0, 1] pixels per step, L-BFGS's a factor of
        its own step; 0 takes the usual one. ``ema`` shows the steps' moving average.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Of the network. Image, losses and optimiser are float32 always.
    device : str
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``.
    tile : int
        Longest side in pixels of the tiles that a larger picture is computed in; 0 for what memory
        allows. It changes memory and time, not the result.
    """

    name: str = field(default="default")

    def __post_init__(self) -> None:
        for recipe_field in dataclasses.fields(self):
            name, value = recipe_field.name, getattr(self, recipe_field.name)
            control = control_of(recipe_field)
            if control is not None:
                value = control.checked(name, value)
            elif not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {value!r}.")
            object.__setattr__(self, name, value)
        if not (self.has_content or self.has_style):
            raise ValueError(
                "content_weight and style_weight are both 0, or the weights of all their layers; "
                "give one a value above 0."
            )
        if self.style_norm not in NORMS[self.style_loss]:
            allowed = ", ".join(NORMS[self.style_loss])
            raise ValueError(
                f"style_norm {self.style_norm!r} does not go with style_loss "
                f"{self.style_loss!r}; take one of {allowed}."
            )
        if self.style_blend and not any(self.style_blend):
            raise ValueError("style_blend is 0 for every style; give one a value above 0.")
        if 0 < self.tile < LEAST_TILE:
            raise ValueError(f"tile must be 0 or at least {LEAST_TILE} pixels; not {self.tile}.")
        if self.tile and self.has_style and self.style_loss not in MOMENT_LOSSES:
            raise ValueError(
                f"tile works with style losses that are functions of sums over positions, and "
                f"{self.style_loss} is none; take tile 0 or one of {', '.join(MOMENT_LOSSES)}."
            )

    @property
    def has_content(self) -> bool:
        """Whether any content loss counts."""
        return bool(self.content_weight) and any(self.content_layers.values())

    @property
    def has_style(self) -> bool:
        """Whether any style loss counts."""
        return bool(self.style_weight) and any(self.style_layers.values())

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
        """Return the fields as plain numbers, strings, lists and dicts."""
        values = {f.name: getattr(self, f.name) for f in _fields_in_order()}
        return {name: _plain(value) for name, value in values.items()}

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
        return cls.from_dict(fields)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Make a recipe of fields, as `to_dict` returns them.

        Raises
        ------
        TypeError, ValueError
            If a field does not exist or its value is not allowed.
        """
        _refuse_unknown(fields)
        return cls(**fields)

    @classmethod
    def from_layer(cls, layer: Any) -> Recipe:
        """Return the recipe that made a result layer, to run it again.

        Parameters
        ----------
        layer : napari.layers.Layer
            A result of this plugin, also one that was saved and opened again.

        Raises
        ------
        ValueError
            If neither the layer's metadata nor the file that it was opened from hold a recipe.
        """
        record = record_of(layer)
        if record is None:
            raise ValueError(
                f"Layer {layer.name!r} holds no recipe; choose one that this plugin has made."
            )
        return cls.from_dict(record["recipe"])


def _fields_in_order() -> list[dataclasses.Field[Any]]:
    """Return the name's field, then those of the sections, as a user wants to see them."""
    by_name = {f.name: f for f in dataclasses.fields(Recipe)}
    names = [f.name for section in _SECTIONS.values() for f in dataclasses.fields(section)]
    return [by_name["name"], *(by_name[name] for name in names)]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


CONTROLS: Mapping[str, Control] = MappingProxyType(
    {f.name: c for f in _fields_in_order() if (c := control_of(f)) is not None}
)
"""Field name → its `Control`, in the order in which a user wants to see them."""

SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {title: tuple(f.name for f in dataclasses.fields(s)) for title, s in _SECTIONS.items()}
)
"""Title → the fields that belong together."""


def _refuse_unknown(changes: Mapping[str, Any]) -> None:
    known = [f.name for f in dataclasses.fields(Recipe)]
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
            raise ValueError(f"A recipe has no field {name!r}; {hint}")
