"""Terms and phases of a recipe: checked changes of its own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from napari_nst.recipe.fields import Changes, Control, FixedMapping
from napari_nst.recipe.sections import (
    CONTENT_NORMS,
    CONTROLS,
    NORMS,
    SECTIONS,
    Refine,
)
from napari_nst.recipe.suggest import nearest

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
        role = f"`terms`, entry {index}"
        fields = _checked_fields(term, _OF_TERM, role)
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
    checked = [
        FixedMapping(_checked_fields(phase, _OF_PHASE, f"`phases`, entry {index}"))
        for index, phase in enumerate(phases, start=1)
    ]
    if checked and checked[-1].get("sizes", "finest") not in ("finest", "all", 1):
        raise ValueError(
            "`phases` must end at the finest size; give the last entry the sizes 'finest' or 'all'."
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
    given: Mapping[str, Any], allowed: Mapping[str, Callable[[str, object], Any]], role: str
) -> dict[str, Any]:
    """Return fields as their functions in `allowed` return them; ValueError that names a role."""
    fields = {}
    for name, value in given.items():
        if name not in allowed:
            hint = nearest(name, allowed) or f"It can have {', '.join(allowed)}."
            raise ValueError(f"{role} cannot have {name!r}. {hint}")
        try:
            fields[name] = allowed[name](name, value)
        except (TypeError, ValueError) as error:
            # Entries are written with the names of fields, wherever they are written.
            raise ValueError(f"{role}: {str(error).replace('`', '')}") from None
    return fields


def _checked_sizes(name: str, sizes: object) -> str | int:
    if isinstance(sizes, str) and sizes in SIZES:
        return sizes
    try:
        number: int = _NTH_FINEST.checked(name, sizes)
    except (TypeError, ValueError):
        words = ", ".join(SIZES)
        raise ValueError(
            f"`{name}` must be {words}, or n from 1 for the n-th finest; not {sizes!r}."
        ) from None
    return number


_NTH_FINEST = Control("", minimum=1, maximum=64, kind=int)
_OF_TERM = {name: CONTROLS[name].checked for name in TERM_FIELDS}
_OF_PHASE: Mapping[str, Callable[[str, object], Any]] = {
    "steps": Control("", minimum=1e-6, maximum=1e6, kind=float).checked,
    "sizes": _checked_sizes,
    **{name: CONTROLS[name].checked for name in PHASE_FIELDS},
    "terms": lambda name, value: checked_terms(CONTROLS[name].checked(name, value)),
}
"""Field → function that returns a checked value of it, given its name."""
