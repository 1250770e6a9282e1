"""Published recipes by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.presets.catalogue import ENTRIES
from napari_nst.recipe.presets.registry import Entry, Published
from napari_nst.recipe.recipe import Recipe

DEFAULT_PRESETS: Mapping[str, str] = MappingProxyType(
    {"transfer": "default", "texture": "texture", "reconstruction": "reconstruction"}
)
"""Job → the preset it takes where nobody says."""

_PRESETS: dict[str, Entry] = {
    entry.facts.name: entry
    for job in DEFAULT_PRESETS
    for entry in ENTRIES
    if entry.facts.job == job
}


def preset_names(job: str | None = None) -> list[str]:
    """Return the names of the published recipes, our own of each job first.

    Parameters
    ----------
    job : {"transfer", "texture", "reconstruction"}, optional
        Leave out those for other jobs.

    Raises
    ------
    ValueError
        If there is no such job.
    """
    if job is not None and job not in DEFAULT_PRESETS:
        raise ValueError(f"job must be one of {', '.join(DEFAULT_PRESETS)}; not {job!r}.")
    return [name for name, entry in _PRESETS.items() if job in (None, entry.facts.job)]


def preset(name: str = "default", **changes: Any) -> Recipe:
    """Return a published recipe, with fields replaced.

    Parameters
    ----------
    name : str
        One of `preset_names`.
    **changes
        Fields of `Recipe` to replace, as ``preset("gatys-2016", steps=300)``. Where the preset's
        source has other numbers for the `weights` that are asked for, they are taken; they are
        not converted otherwise: `on_flavour` does that.

    Raises
    ------
    TypeError, ValueError
        If there is no such preset or field, or a value is not allowed.
    """
    entry = _find(name)
    flavour = str(changes.get("weights", entry.facts.flavour))
    return entry.recipe_for(flavour).replace(**changes)


def preset_summary(name: str) -> str:
    """Return one line that says whose recipe a preset is."""
    return published(name).summary


def published(name: str) -> Published:
    """Return what is known about a preset besides its fields: its job, its source, its network.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    return _find(name).facts


def _find(name: str) -> Entry:
    if name not in _PRESETS:
        raise ValueError(f"There is no preset {name!r}; choose from {', '.join(_PRESETS)}.")
    return _PRESETS[name]
