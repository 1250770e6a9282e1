"""What a recipe's field may hold, and the sentence that explains it.

The default, the bounds and the explanation of every control live in one place, beside the field
they belong to. The widget makes its spin boxes and tooltips from them, the terminal its options.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any

from napari_nst.recipe.layer_weights import (
    LayerWeights,
    checked_layers,
    format_layers,
    parse_layers,
)


@dataclass(frozen=True)
class Control:
    """Bounds and explanation of one field of a recipe.

    Parameters
    ----------
    help : str
        What the field does, and what more or less of it does.
    least, most : float
        The bounds of a number, both allowed; of each one where there are several.
    step : float
        By how much an arrow of a spin box changes a number.
    choices : tuple of str
        The values a text may have; empty for free text.
    kind : type
        ``int``, ``float``, ``bool`` or ``str``; ``tuple`` for several numbers, `LayerWeights` for
        layers and their weights.
    """

    help: str
    least: float = -math.inf
    most: float = math.inf
    step: float = 1
    choices: tuple[str, ...] = ()
    kind: type = str

    def checked(self, name: str, value: object) -> Any:
        """Return `value` as this control's kind, or say in one sentence what is wrong with it.

        Layers and several numbers may be given as text, as `parse` reads it.

        Raises
        ------
        TypeError
            If the value is of another kind.
        ValueError
            If the value is out of bounds or not one of the choices.
        """
        if self.kind in (LayerWeights, tuple) and isinstance(value, str):
            value = self.parse(name, value)
        if self.kind is LayerWeights:
            return checked_layers(name, value)
        if self.kind is tuple:
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} must be several numbers, not {value!r}.")
            return tuple(self._checked_number(name, number, float) for number in value)
        if self.kind in (int, float):
            return self._checked_number(name, value, self.kind)
        if not isinstance(value, self.kind):
            raise TypeError(f"{name} must be a {self.kind.__name__}, not {value!r}.")
        if self.choices and value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(self.choices)}; not {value!r}.")
        return value

    def parse(self, name: str, text: str) -> Any:
        """Read a value that a user typed: ``relu4_2:1, relu5_1:0.5``, or ``0.7, 0.3``."""
        if self.kind is LayerWeights:
            return parse_layers(name, text)
        if self.kind is tuple:
            return tuple(_number(name, part) for part in text.replace(",", " ").split())
        return text

    def text(self, value: Any) -> str:
        """Write a value as `parse` reads it."""
        if isinstance(value, Mapping):
            return format_layers(value)
        if isinstance(value, tuple):
            return ", ".join(f"{number:g}" for number in value)
        return str(value)

    def _checked_number(self, name: str, value: object, kind: type) -> int | float:
        wanted = "a whole number" if kind is int else "a number"
        try:
            number: int | float = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{name} must be {wanted}, not {value!r}.") from None
        if isinstance(value, (bool, str)) or (kind is int and number != value):
            raise TypeError(f"{name} must be {wanted}, not {value!r}.")
        if not (self.least <= number <= self.most and math.isfinite(number)):
            bounds = f"between {self.least:g} and {self.most:g}"
            if math.isinf(self.most):
                bounds = f"at least {self.least:g} and finite"
            raise ValueError(f"{name} must be {bounds}; not {value!r}.")
        return number


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be numbers such as 0.7, 0.3; not {text!r}.") from None


def number(
    default: float, explanation: str, *, least: float, most: float = math.inf, step: float = 1
) -> Any:
    """Declare a recipe's number; whole where its default is an ``int``."""
    control = Control(explanation, least, most, step, kind=type(default))
    return field(default=default, metadata={"control": control})


def numbers(explanation: str, *, least: float) -> Any:
    """Declare several numbers, none at first."""
    return field(default=(), metadata={"control": Control(explanation, least, kind=tuple)})


def layers(default: Mapping[str, float], explanation: str) -> Any:
    """Declare a recipe's layers and their weights."""
    control = Control(explanation, kind=LayerWeights)
    return field(default_factory=lambda: LayerWeights(default), metadata={"control": control})


def choice(default: str, explanation: str, *choices: str) -> Any:
    """Declare a recipe's text: one of `choices`, or free where there are none."""
    return field(default=default, metadata={"control": Control(explanation, choices=choices)})


def switch(default: bool, explanation: str) -> Any:
    """Declare a recipe's yes or no."""
    return field(default=default, metadata={"control": Control(explanation, kind=bool)})


def control_of(recipe_field: Field[Any]) -> Control | None:
    """Return the control that a dataclass field was declared with, if any."""
    return recipe_field.metadata.get("control")
