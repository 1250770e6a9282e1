"""The fields of a recipe: their allowed values, their help texts, and how users write them.

The widgets build their controls and tooltips from these declarations, the terminal its options.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NoReturn

from napari_nst.recipe.layer_names import canonical_layer
from napari_nst.recipe.suggest import not_among, shown

_CHANGES = 'a list of fields and values, such as [{"style_loss": "gram"}]'
_SWITCH = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}


class FixedMapping(dict[str, Any]):
    """Names → values: a dict that cannot be changed, so that its recipe cannot either."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A recipe cannot be changed; make another with its replace().")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FixedMapping], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


class LayerWeights(FixedMapping):
    """Layer name → weight."""


class Changes(tuple[FixedMapping, ...]):
    """Several changes of a recipe's fields: its terms, or its phases."""

    __slots__ = ()


@dataclass(frozen=True)
class Control:
    """The allowed values and the help text of one field of a recipe."""

    help: str
    minimum: float = -math.inf  # of a number, or of each of several numbers
    maximum: float = math.inf
    step: float = 1  # of a spin box
    choices: tuple[str, ...] = ()  # empty for free text
    kind: type = str  # or int, float, bool, LayerWeights, Changes, tuple for several numbers

    def checked(self, name: str, value: object) -> Any:
        """Return a value as this control's kind; raise TypeError or ValueError if not allowed."""
        if self.kind in (LayerWeights, Changes, tuple) and isinstance(value, str):
            value = self.parse(name, value)
        if self.kind is Changes:
            return _checked_changes(name, value)
        if self.kind is LayerWeights:
            return _checked_layers(name, value)
        if self.kind is tuple:
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"`{name}` must be several numbers, not {shown(value)}.")
            return tuple(self._checked_number(name, number, float) for number in value)
        if self.kind in (int, float):
            return self._checked_number(name, value, self.kind)
        if not isinstance(value, self.kind):
            raise TypeError(f"`{name}` must be a {self.kind.__name__}, not {shown(value)}.")
        if self.choices and value not in self.choices:
            raise ValueError(not_among(f"`{name}`", value, self.choices))
        return value

    def parse(self, name: str, text: str) -> Any:
        """Read a value from text such as a user types, without checking its bounds."""
        if self.kind is LayerWeights:
            return _parsed_layers(name, text)
        if self.kind is Changes:
            return _parsed_changes(name, text)
        if self.kind is tuple:
            return tuple(_parsed_number(name, one, float) for one in text.replace(",", " ").split())
        if self.kind in (int, float):
            return _parsed_number(name, text, self.kind)
        if self.kind is bool and text.lower() not in _SWITCH:
            raise ValueError(f"`{name}` must be on or off; not {text!r}.")
        return _SWITCH[text.lower()] if self.kind is bool else text

    def text(self, value: Any) -> str:
        """Return the value of a field as text that `parse` reads."""
        if isinstance(value, Changes):
            return json.dumps(plain(value)) if value else ""
        if isinstance(value, Mapping):
            return ", ".join(f"{layer}:{weight!r}" for layer, weight in value.items())
        if isinstance(value, tuple):
            return ", ".join(f"{number:g}" for number in value)
        return str(value)

    def _checked_number(self, name: str, value: object, kind: type) -> int | float:
        wanted = "a whole number" if kind is int else "a number"
        try:
            number: int | float = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"`{name}` must be {wanted}, not {shown(value)}.") from None
        if isinstance(value, (bool, str)) or (kind is int and number != value):
            raise TypeError(f"`{name}` must be {wanted}, not {shown(value)}.")
        if not (self.minimum <= number <= self.maximum and math.isfinite(number)):
            bounds = f"between {self.minimum:.10g} and {self.maximum:.10g}"
            if math.isinf(self.maximum):
                bounds = f"at least {self.minimum:g} and finite"
            raise ValueError(f"`{name}` must be {bounds}; not {shown(value)}.")
        return number


def number(
    default: float, *, minimum: float, maximum: float = math.inf, step: float = 1, help_text: str
) -> Any:
    """Declare a field for a number, which is an integer if the default is an ``int``."""
    control = Control(help_text, minimum, maximum, step, kind=type(default))
    return field(default=default, metadata={"control": control})


def numbers(*, minimum: float, help_text: str) -> Any:
    """Declare a field for several numbers, empty by default."""
    return field(default=(), metadata={"control": Control(help_text, minimum, kind=tuple)})


def layers(default: Mapping[str, float], *, help_text: str) -> Any:
    """Declare a field for layers and their weights."""
    control = Control(help_text, kind=LayerWeights)
    return field(default_factory=lambda: LayerWeights(default), metadata={"control": control})


def changes(*, help_text: str) -> Any:
    """Declare a field for changes of a recipe's fields, empty by default."""
    control = Control(help_text, kind=Changes)
    return field(default=Changes(), metadata={"control": control})


def choice(*choices: str, default: str | None = None, help_text: str) -> Any:
    """Declare a field for one of `choices`, by default the first, or for any text without them."""
    control = Control(help_text, choices=choices)
    return field(default=default or choices[0], metadata={"control": control})


def switch(default: bool, *, help_text: str) -> Any:
    """Declare a field that is on or off."""
    return field(default=default, metadata={"control": Control(help_text, kind=bool)})


def plain(value: Any) -> Any:
    """Return a field's value as numbers, strings, lists and dicts."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def parsed_json(name: str, text: str) -> Any:
    """Read JSON whose objects name each field once; ValueError that begins with a name."""
    twice: list[str] = []

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=read_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is not JSON: {error}.") from None
    except (RecursionError, ValueError):
        raise ValueError(f"{name} has too long a number or too many nested lists.") from None
    if twice:
        raise ValueError(f"{name} names {twice[0]} twice in one object; give it once.")
    return value


def _checked_changes(name: str, value: object) -> Changes:
    """Return several mappings of fields; their names and values are checked by the recipe."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
        raise TypeError(f"`{name}` must be {_CHANGES}; not {shown(value)}.")
    return Changes(FixedMapping(one) for one in value)


def _parsed_changes(name: str, text: str) -> Changes:
    """Read a JSON list of objects; none for an empty text."""
    try:
        return _checked_changes(name, parsed_json(f"`{name}`", text) if text.strip() else [])
    except TypeError as error:
        raise ValueError(str(error)) from None


def _checked_layers(name: str, layers: object) -> LayerWeights:
    """Return layer weights under the canonical names of the layers; those of a list are 1."""
    if isinstance(layers, (list, tuple)) and all(isinstance(layer, str) for layer in layers):
        if len(set(layers)) < len(layers):
            raise ValueError(f"`{name}` names a layer twice; give it once.")
        layers = dict.fromkeys(layers, 1.0)
    if not isinstance(layers, Mapping):
        raise TypeError(
            f"`{name}` must be layers and their weights, such as {{'relu4_2': 1}}; "
            f"not {shown(layers)}."
        )
    checked: dict[str, float] = {}
    for layer, weight in layers.items():
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise TypeError(
                f"The weight of {layer!r} in `{name}` must be a number, not {weight!r}."
            )
        number = float(weight)
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(
                f"The weight of {layer!r} in `{name}` must be at least 0 and finite; it is "
                f"{weight!r}."
            )
        canonical = canonical_layer(layer)
        if canonical in checked:
            raise ValueError(f"`{name}` names {canonical} twice, once as {layer!r}; give it once.")
        checked[canonical] = number
    return LayerWeights(checked)


def _parsed_layers(name: str, text: str) -> dict[str, float]:
    """Read text such as ``relu4_2:1, relu5_1:0.5``; a weight that is left out is 1."""
    parsed: dict[str, float] = {}
    for entry in text.replace(",", " ").split():
        layer, _, weight = entry.partition(":")
        try:
            number = float(weight or 1)
        except ValueError:
            raise ValueError(
                f"`{name}` must be layers and weights such as relu4_2:1, relu5_1:0.5; not "
                f"{entry!r}."
            ) from None
        if layer in parsed:
            raise ValueError(f"`{name}` names {layer} twice; give it once.")
        parsed[layer] = number
    return parsed


def _parsed_number(name: str, text: str, kind: type) -> int | float:
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        wanted = "whole numbers such as 1, 2, 4" if kind is int else "numbers such as 0.7, 0.3"
        raise ValueError(f"`{name}` must be {wanted}; not {text!r}.") from None
