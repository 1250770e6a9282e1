"""The recipe of a run as plain data: losses, sizes, initial image, network and optimiser."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_nst.recipe.fields import parsed_json, plain
from napari_nst.recipe.phases import (
    ONE_PHASE,
    changed_fields,
    checked_phases,
    checked_terms,
    kind_of,
)
from napari_nst.recipe.sections import (
    CONTENT_NORMS,
    CONTROLS,
    IMAGE_LOSSES,
    MIN_TILE,
    NORMS,
    TILED_LOSSES,
    Colour,
    Losses,
    Network,
    Optimizer,
    Refine,
    Schedule,
    Start,
)
from napari_nst.recipe.suggest import nearest


# The bases are in reverse order, so that the fields are in the order of the sections.
@dataclass(frozen=True, kw_only=True)
class Recipe(Optimizer, Network, Colour, Start, Refine, Losses, Schedule):
    """Everything that a run needs to know besides its images.

    A recipe is immutable and is checked when it is made. Its defaults are the defaults of the
    widgets and of the terminal. Use `replace` to make variants, and `napari_nst.preset` to get
    published recipes. `napari_nst.recipe.CONTROLS` has the bounds and the help text of each field.

    Attributes
    ----------
    name : str
        The preset that this recipe was made from.
    size, min_size, scale_ratio : int, int, float
        Longest side of the finest and of the coarsest scale, in pixels, and the size of each scale
        divided by the size of the scale before it. ``size=0`` keeps the size of the content,
        ``min_size=0`` uses a single scale.
    steps, first_scale_share : int, float
        Number of iterations over all scales together, and the iterations at the coarsest scale
        relative to those at each later scale.
    content_layers, style_layers : mapping of str to float
        Layer name → weight. Names as in `napari_nst.recipe.layer_names`; aliases are allowed.
    content_weight, style_weight, tv_weight : float
        Weights of the content losses, the style losses and total variation.
    content_loss, content_norm, style_loss, style_norm, tv_loss, tv_exponent, projections, \
patch_size, patch_stride
        The losses and how they are scaled: see `napari_nst.losses`.
    hypercolumns, samples, style_samples, centred_cosine, nn_targets, style_rotations
        What losses of samples compare, which draw positions of the image and of the style at
        random: whether layers are joined, how many positions, and with which cosine, nearest
        neighbours and rotations.
    terms : sequence of mappings
        Further losses, each a mapping of fields of the content loss or of the style loss. A weight
        is a factor of the recipe's own, a missing field has the recipe's own value, and a norm that
        does not go with a new loss is that loss's first.
    own_sizes, refine_share, refine_strength, phases : str, float, float, sequence of mappings
        What changes during a run. The recipe's own fields are its first phase; `phases` are the
        later ones. Each is a mapping of fields of the losses, the pooling, the optimiser and
        `image_range`, as for `terms`; a new optimiser has its own default learning rate. Its
        ``steps`` (default 1) are relative to those of the other later phases, its ``sizes`` are
        "finest" (default), "coarser" (all but the finest), "all", or n for the n-th finest; the
        last phase must reach the finest. `own_sizes` are those of the first phase.
        The later phases together take `refine_share` of the steps; with 1, the first phase takes
        none. `refine_strength` is a factor of their `style_weight`.
    style_scale, style_sizing, style_blend
        Size of the style relative to the content, how it is resized, and the relative weights of
        several styles.
    init, noise, noise_spread, init_noise, seed
        The initial image. Runs with the same seed on the same device give the same result.
    color, channels, image_range, final_color
        The colours of the result, whether it is grey, how its values are kept in range, and how
        its colours are changed after the last step.
    weights, network_input, pooling, rescale_pooling, padding
        The network: its flavour (``gatys``, ``torchvision``, ``caffe``) or a weights file, its
        input range, its pooling and its padding.
    parametrization, optimizer, learning_rate, history, line_search, beta1, beta2, epsilon, \
jitter, ema
        What is optimised, and the optimiser. Adam's learning rate is in units of [0, 1] pixels per
        step, the learning rate of L-BFGS is a factor of its own step; 0 takes the default of
        either. ``jitter`` is the number of shifts of the image, at most by half as many pixels,
        that take turns; masks and guides stay in place. ``ema`` is the decay rate of the moving
        average that is shown instead of the last step.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Number format of the network. Image, losses and optimiser are always float32.
    device : str
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``.
    tile : int
        Longest side in pixels of the tiles in which a large image is computed; 0 chooses it by the
        free memory. It changes memory and time, not the result.
    """

    name: str = "default"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"`name` must be a str, not {self.name!r}.")
        for name, control in CONTROLS.items():
            object.__setattr__(self, name, control.checked(name, getattr(self, name)))
        if not (self.has_content or self.has_style):
            raise ValueError(
                "`content_weight` and `style_weight` are both 0, or the weights of all their "
                "layers. Give one of them a value above 0."
            )
        for kind, norms in (("style", NORMS), ("content", CONTENT_NORMS)):
            loss, norm = getattr(self, f"{kind}_loss"), getattr(self, f"{kind}_norm")
            if norm not in norms[loss]:
                raise ValueError(
                    f"`{kind}_norm={norm!r}` does not go with `{kind}_loss={loss!r}`. Choose one "
                    f"of {', '.join(norms[loss])} for `{kind}_norm`."
                )
        if self.style_blend and not any(self.style_blend):
            raise ValueError("`style_blend` is 0 for every style. Give one a value above 0.")
        if self.final_color != "none" and self.color == "luminance":
            raise ValueError(
                f"`final_color={self.final_color!r}` does not go with `color='luminance'`, which "
                "keeps the content's colours. Set `final_color='none'`, or set `color='style'`."
            )
        if 0 < self.tile < MIN_TILE:
            raise ValueError(f"`tile` must be 0 or at least {MIN_TILE} pixels; not {self.tile}.")
        if self.tile and self.has_style and self.style_loss not in TILED_LOSSES:
            raise ValueError(
                f"`tile` does not go with `style_loss={self.style_loss!r}`. Set `tile=0`, or "
                f"choose one of {', '.join(TILED_LOSSES)} for `style_loss`."
            )
        self._check_changes()

    def _check_changes(self) -> None:
        """Check terms and phases; each of them must be a valid recipe."""
        object.__setattr__(self, "terms", checked_terms(self.terms))
        object.__setattr__(self, "phases", checked_phases(self.phases))
        for name, make, changes in (
            ("terms", term_recipe, self.terms),
            ("phases", phase_recipe, self.phases),
        ):
            for index, change in enumerate(changes, start=1):
                try:
                    make(self, change)
                except (TypeError, ValueError) as error:
                    reason = str(error).replace("`", "")
                    raise ValueError(f"`{name}`, entry {index}: {reason}") from None

    @property
    def has_content(self) -> bool:
        """Whether any content loss has a weight above 0."""
        return _has_loss(vars(self), "content")

    @property
    def has_style(self) -> bool:
        """Whether any style loss has a weight above 0."""
        return _has_loss(vars(self), "style")

    def with_terms(self) -> list[Recipe]:
        """Return the recipe without its terms, then a recipe of each term that has a weight.

        The recipe of a term has the term's content or style loss alone. Later phases are left out;
        use this on the recipe of a `phase`.
        """
        terms = [term_recipe(self, term) for term in self.terms]
        own = self.replace(terms=(), phases=()) if self.terms or self.phases else self
        return [own, *(term for term in terms if term is not None)]

    def phase(self, index: int) -> Recipe:
        """Return the recipe of a phase alone: the recipe's own for 0, then those of `phases`.

        Its `steps` remain those of the whole run. IndexError if there is no such phase.
        """
        if index == 0:
            return self.replace(**ONE_PHASE) if self.phases else self
        if not 0 < index <= len(self.phases):
            raise IndexError(f"There is no phase {index}; the last one is {len(self.phases)}.")
        return phase_recipe(self, self.phases[index - 1])

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed; TypeError or ValueError as from `from_dict`."""
        _refuse_unknown(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, strings, lists and dicts."""
        return {name: plain(getattr(self, name)) for name in ("name", *CONTROLS)}

    def to_json(self) -> str:
        """Return the recipe as JSON text that `from_json` reads."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe from a JSON object, as `from_dict`; ValueError for any other text."""
        fields = parsed_json("The recipe", text)
        if not isinstance(fields, dict):
            raise ValueError("The recipe must be a JSON object of fields, as to_json() writes it.")
        return cls.from_dict(fields)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Make a recipe from fields such as `to_dict` returns; missing ones get their defaults.

        TypeError or ValueError if a field does not exist or its value is not allowed.
        """
        _refuse_unknown(fields)
        return cls(**fields)

    @classmethod
    def from_layer(cls, layer: Any) -> Recipe:
        """Return the recipe that made a napari layer, which may have been saved and opened again.

        ValueError if neither the layer's metadata nor the file that it was opened from has one.
        """
        # Imported here because io is built on this package.
        record = importlib.import_module("napari_nst.io.record").record_of(layer)
        if record is None:
            raise ValueError(
                f"Layer {layer.name!r} holds no recipe. Choose a result of napari-nst."
            )
        return cls.from_dict(record["recipe"])


def term_recipe(recipe: Recipe, term: Mapping[str, Any]) -> Recipe | None:
    """Return the recipe of a term alone; None if it has no weight."""
    kind, other = kind_of(term)
    fields = changed_fields(vars(recipe), term)
    if not _has_loss(vars(recipe) | fields, kind):
        return None
    alone: dict[str, Any] = {f"{other}_weight": 0.0, "tv_weight": 0.0, "terms": (), "phases": ()}
    return recipe.replace(**fields, **alone)


def phase_recipe(recipe: Recipe, phase: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a later phase."""
    fields = changed_fields(vars(recipe), phase)
    weight = fields.get("style_weight", recipe.style_weight) * recipe.refine_strength
    if not (recipe.refine_strength or fields.get("content_weight", recipe.content_weight)):
        raise ValueError(
            "`refine_strength` is 0, and the phase has no content_weight, so it has no loss. Give "
            "either a value above 0, or set `refine_share=0`."
        )
    return recipe.replace(**{**fields, "style_weight": weight}, **ONE_PHASE)


def _has_loss(fields: Mapping[str, Any], kind: str) -> bool:
    """Whether the ``content`` or ``style`` loss of a recipe's fields has a weight above 0."""
    reads_no_layer = kind == "style" and fields["style_loss"] in IMAGE_LOSSES
    has_layers = reads_no_layer or any(fields[f"{kind}_layers"].values())
    return bool(fields[f"{kind}_weight"]) and has_layers


def _refuse_unknown(changes: Mapping[str, Any]) -> None:
    known = [f.name for f in dataclasses.fields(Recipe)]
    for name in changes:
        if name not in known:
            hint = nearest(name, known) or f"It has {', '.join(known)}."
            raise ValueError(f"A recipe has no field {name!r}. {hint}")
