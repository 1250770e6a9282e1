"""Published recipes by name.

The modules of this package have a source beside each number. Layers are named by what a program
actually compares: Caffe and torchvision apply ReLU in place, so the output that their programs keep
of a convolution is the output of its ReLU; Keras's convolutions include the ReLU.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Importing these modules registers their presets, which are listed in the order of this import.
from napari_nst.recipe.presets import ours, programs, kolkin, long_range, articles  # noqa: F401  # isort: skip
from napari_nst.recipe.presets.registry import REGISTERED, Published
from napari_nst.recipe.recipe import Recipe
from napari_nst.recipe.suggest import nearest, not_among, shown

DEFAULT_PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "transfer": "default",
        "texture": "texture",
        "reconstruction": "reconstruction",
        "solid": "solid",
    }
)
"""Job → its default preset."""


def preset_names(job: str | None = None) -> list[str]:
    """Return the names of the published recipes, job by job, this project's own first.

    Parameters
    ----------
    job : {"transfer", "texture", "reconstruction", "solid"}, optional
        Return only the presets for this job; ValueError for any other.
    """
    if job is not None and job not in DEFAULT_PRESETS:
        raise ValueError(not_among("`job`", job, DEFAULT_PRESETS))
    jobs = DEFAULT_PRESETS if job is None else (job,)
    return [one.name for listed in jobs for one in REGISTERED.values() if one.job == listed]


def preset(name: str = "default", **changes: Any) -> Recipe:
    """Return a published recipe, with some fields changed.

    Parameters
    ----------
    name : str
        One of `preset_names`; ValueError for any other.
    **changes
        Fields of `Recipe` to change, as for `Recipe.replace`: ``preset("gatys-2016", steps=300)``.
        If `weights` names
        another flavour and the source has a recipe for it, that recipe is returned. Otherwise layer
        weights are not converted to the flavour: use `on_flavour` for that.
    """
    found = published(name)
    flavour = str(changes.get("weights", found.flavour))
    return found.recipe_for(flavour).replace(**changes)


def published(name: str) -> Published:
    """Return a preset's job, source, flavour and recipes; raise ValueError for an unknown name."""
    if not isinstance(name, str) or name not in REGISTERED:
        hint = nearest(name, REGISTERED) or f"Choose one of {', '.join(preset_names())}."
        raise ValueError(f"There is no preset {shown(name)}. {hint}")
    return REGISTERED[name]
