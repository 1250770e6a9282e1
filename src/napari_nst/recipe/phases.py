"""Terms and phases of a recipe: checked changes of its own fields."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from napari_nst.recipe.fields import Changes, FixedMapping
from napari_nst.recipe.sections import (
    CONTENT_NORMS,
    CONTROLS,
    NORMS,
    SECTIONS,
    Refine,
)

_CONTENT = ("content_loss", "content_layers", "content_norm", "content_weight")
_STYLE = (
    "style_loss", "style_layers", "style_norm", "style_weight", "projections", "patch_size",
    "patch_stride", "style_samples", "centred_cosine", "nn_targets", "style_rotations",
)  # fmt: skip
TERM_FIELDS = (*_CONTENT, *_STYLE, "hypercolumns", "samples")
"""Fields that a term can change: those of the content loss or those of the style loss."""

_FIXED = ("style_scale", "style_sizing", "style_blend", "precision", "device", "tile")
PHASE_FIELDS = (
    *(
        name
        for name in (*SECTIONS["Losses"], "pooling", "rescale_pooling", *SECTIONS["Optimiser"])
        if name not in _FIXED
    ),
    "image_range",
)
"""Fields that a phase can change; it also has `steps` and `sizes` of its own."""

SIZES = ("finest", "coarser", "all")
"""Words for the sizes of a phase; a number n stands for the n-th finest size alone."""

ONE_PHASE: Mapping[str, Any] = {name: f.default for name, f in Refine.__dataclass_fields__.items()}
"""The fields of a recipe without later phases."""

_WEIGHTS = ("style_weight", "content_weight", "tv_weight")


def checked_terms(terms: Sequence[Mapping[str, Any]]) -> Changes:
    """Return terms with checked names and values; ValueError for others."""
    checked = []
    for index, term in enumerate(terms, start=1):
        role = f"terms, entry {index}"
        fields = _checked_fields(term, TERM_FIELDS, role)
        kinds = [kind for kind in (_CONTENT, _STYLE) if any(name in fields for name in kind)]
        if len(kinds) != 1:
            both = "both" if kinds else "neither"
            raise ValueError(
                f"{role} has fields of {both} content and style; give it either a content_loss or "
                "a style_loss."
            )
        checked.append(FixedMapping(fields))
    return Changes(checked)


def checked_phases(phases: Sequence[Mapping[str, Any]]) -> Changes:
    """Return phases with checked names and values; ValueError for others."""
    checked = []
    for index, phase in enumerate(phases, start=1):
        role = f"phases, entry {index}"
        fields = dict(phase)
        own: dict[str, Any] = {}
        if "steps" in fields:
            own["steps"] = _checked_steps(fields.pop("steps"), role)
        if "sizes" in fields:
            own["sizes"] = _checked_sizes(fields.pop("sizes"), role)
        own |= _checked_fields(fields, PHASE_FIELDS, role, ("steps", "sizes"))
        if "terms" in own:
            try:
                own["terms"] = checked_terms(own["terms"])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{role}: {error}") from None
        checked.append(FixedMapping(own))
    if checked and checked[-1].get("sizes", "finest") not in ("finest", "all", 1):
        raise ValueError(
            "phases must end at the finest size; give the last entry the sizes 'finest' or 'all'."
        )
    return Changes(checked)


def sizes_of(phase: Mapping[str, Any], sizes: Sequence[int]) -> Sequence[int]:
    """Return the sizes of a phase, among those of a run, coarse to fine."""
    wanted = phase.get("sizes", "finest")
    if wanted == "all":
        return sizes
    if wanted == "coarser":
        return sizes[:-1] or sizes
    index = max(len(sizes) - (1 if wanted == "finest" else wanted), 0)
    return sizes[index : index + 1]


def kind_of(term: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind of a term, ``content`` or ``style``, and the other kind."""
    is_content = any(name in term for name in _CONTENT)
    return ("content", "style") if is_content else ("style", "content")


def changed_fields(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what replaces the fields of a recipe for the changes of a term or phase."""
    fields = {name: value for name, value in changes.items() if name not in ("steps", "sizes")}
    for name in _WEIGHTS:
        if name in fields:
            fields[name] *= recipe[name]
    for kind, norms in (("style", NORMS), ("content", CONTENT_NORMS)):
        allowed = norms[fields.get(f"{kind}_loss", recipe[f"{kind}_loss"])]
        if f"{kind}_norm" not in fields and recipe[f"{kind}_norm"] not in allowed:
            fields[f"{kind}_norm"] = allowed[0]
    if "optimizer" in fields:  # a learning rate has another meaning for each optimizer
        fields.setdefault("learning_rate", 0.0)
    return fields


def _checked_fields(
    given: Mapping[str, Any], allowed: Iterable[str], role: str, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    allowed = tuple(allowed)
    fields = {}
    for name, value in given.items():
        if name not in allowed:
            known = (*also, *allowed)
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it can have {', '.join(known)}."
            raise ValueError(f"{role} cannot have {name!r}; {hint}")
        try:
            fields[name] = CONTROLS[name].checked(name, value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{role}: {error}") from None
    return fields


def _checked_steps(steps: object, role: str) -> float:
    is_number = isinstance(steps, Real) and not isinstance(steps, bool)
    try:
        number = float(steps) if is_number else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not 0 < number <= 1e6:
        raise ValueError(f"{role}: steps must be a number above 0, 1e6 at most; not {steps!r}.")
    return number


def _checked_sizes(sizes: object, role: str) -> str | int:
    if isinstance(sizes, str) and sizes in SIZES:
        return sizes
    is_whole = isinstance(sizes, Integral) and not isinstance(sizes, bool)
    number = int(sizes) if is_whole else 0  # type: ignore[call-overload]
    if 1 <= number <= 64:
        return number
    raise ValueError(
        f"{role}: sizes must be {', '.join(SIZES)}, or n from 1 for the n-th finest; not {sizes!r}."
    )
