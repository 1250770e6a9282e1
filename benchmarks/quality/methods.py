"""The recipes that are measured: a preset, some with a curve of style weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import napari_nst as nst
from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.grid import parse_values

CURVES = ("default",)
"""Presets that are measured at several style weights."""

SINGLE = ("nnst", "strotss", "spst", "crowsonkb", "gatys-2016")

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors of a preset's own style weight."""

FLAVOUR = "gatys"
"""Every recipe runs on this network, with converted weights if it was made for another."""


@dataclass(frozen=True)
class Method:
    """A recipe with a name; methods of one `curve` differ in their style weights only."""

    name: str
    curve: str
    factor: float
    recipe: Recipe


def method(text: str, factor: float = 1.0, **changes: Any) -> Method:
    """Make a method from ``preset`` or ``preset,field=value,…``; ValueError for another text.

    `changes` are further fields of the recipe, such as its size.
    """
    name, *settings = text.split(",")
    for setting in settings:
        field, _, value = setting.partition("=")
        control = CONTROLS.get(field)
        if control is None:
            raise ValueError(f"A method is preset,field=value with a recipe's field; not {text!r}.")
        (changes[field],) = parse_values(field, value)
    recipe = nst.on_flavour(nst.preset(name), FLAVOUR)
    changes["style_weight"] = changes.get("style_weight", recipe.style_weight) * factor
    label = text if factor == 1 else f"{text} × {factor:g}"
    return Method(label, text, factor, recipe.replace(**changes))


def methods(
    curves: Iterable[str], single: Iterable[str], factors: Sequence[float], **changes: Any
) -> Iterator[Method]:
    """Yield the methods of all texts: `curves` at each factor of the style weight, others once."""
    for text in curves:
        for factor in factors:
            yield method(text, factor, **changes)
    for text in single:
        yield method(text, **changes)


def known(texts: Iterable[str], job: str) -> tuple[list[str], list[str]]:
    """Return the texts whose preset exists for a job, and the others."""
    names = nst.preset_names(job)
    found, missing = [], []
    for text in texts:
        (found if text.split(",")[0] in names else missing).append(text)
    return found, missing
