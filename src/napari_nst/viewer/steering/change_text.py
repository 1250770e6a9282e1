"""What a user has changed while a run went on, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_nst.recipe import CONTROLS
from napari_nst.recipe.layer_weights import LayerWeights

_WORDS = {
    "styles": "styles",
    "guides": "guides",
    "region": "region",
    "exemplar_region": "exemplar region",
    "painted_pixels": "painted",
}


def change_text(change: Mapping[str, Any]) -> str:
    """Say what was changed, such as ``style weight 12``.

    Parameters
    ----------
    change : mapping
        An entry of ``steered`` in a run's facts.
    """
    fields = [_field_text(name, value) for name, value in change.items() if name in CONTROLS]
    return ", ".join([*fields, *(word for name, word in _WORDS.items() if name in change)])


def _field_text(name: str, value: Any) -> str:
    words = name.replace("_", " ").replace("tv ", "TV ")
    control = CONTROLS[name]
    # Five layers with their weights would not fit beside a curve.
    long = control.kind in (LayerWeights, tuple)
    return words if long else f"{words} {value:g}" if control.kind is float else f"{words} {value}"
