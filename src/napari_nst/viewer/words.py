"""Messages and headings in the words of the window: the labels of its controls."""

from __future__ import annotations

from functools import partial

from napari_nst.messages import in_words
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.grid import heading_in_words
from napari_nst.viewer.controls.recipe_form import label_of

_ARGUMENTS = {
    "init_image": "Start image",
    "into": "Fill in",
    "guide": "Content guide",
    "style_guides": "Style guide",
    "keep_unlabelled": "Keep the rest as it is",
    "shape": "Height and Width",
    "layers": "Compared layers",
    "recipe": "Preset",
    "mask": "Image mask",
    "axes": "Along",
    "slices": "Range",
    "seeds": "Seeds",
    "statistics": "Measure each",
    "out": "Result folder",
    "temporal": "Motion weight",
    "images": "Image",
    "style_weights": "Style weight",
}
"""Argument of the engine → label of its control, if that has other words."""

_SWITCHES = {("padding", "circular"): "Seamless"}
"""Field and value → the check box that sets it."""


def in_window(message: str, job: str = "") -> str:
    """Return a message with the labels of the controls that set its fields and arguments."""
    return in_words(message, partial(label, job=job), partial(_is_set, job), partial(_cure, job))


def heading_in_window(heading: str) -> str:
    """Return the heading of a picture of a sweep with the labels of controls."""
    return heading_in_words(heading, label)


def label(name: str, job: str = "") -> str:
    """Return the label of the control that sets a field or an argument, in a job's widget."""
    return _ARGUMENTS.get(name) or label_of(name, job)


def _is_set(job: str, name: str, value: str) -> str:
    switch = _SWITCHES.get((name, value))
    if switch or _is_switch(name):
        return f"{switch or label(name, job)} is {'off' if value == 'False' else 'on'}"
    return f"{label(name, job)} is {value}"


def _cure(job: str, name: str, value: str) -> str:
    for (field, on), switch in _SWITCHES.items():
        if field == name:
            return f"{'Tick' if value == on else 'Untick'} {switch}"
    if _is_switch(name):
        return f"{'Untick' if value == 'False' else 'Tick'} {label(name, job)}"
    return f"Set {label(name, job)} to {value}"


def _is_switch(name: str) -> bool:
    return name == "statistics" or (name in CONTROLS and CONTROLS[name].kind is bool)
