"""What a recipe's fields may hold: bounds, choices, explanations, and what a user may type."""

import dataclasses
import math

import numpy as np
import pytest

from napari_nst.recipe import CONTROLS, SECTIONS, Recipe
from napari_nst.recipe.fields import LayerWeights, control_of

NUMBERS = {name: c for name, c in CONTROLS.items() if c.kind in (int, float)}
WHOLE = [name for name, c in NUMBERS.items() if c.kind is int]
CHOICES = {name: c for name, c in CONTROLS.items() if c.choices}
SWITCHES = [name for name, c in CONTROLS.items() if c.kind is bool]
TEXTS = [name for name, c in CONTROLS.items() if c.kind is str]
SEVERAL = [name for name, c in CONTROLS.items() if c.kind is tuple]


def test_there_are_controls_of_every_kind():
    assert {c.kind for c in CONTROLS.values()} == {int, float, bool, str, tuple, LayerWeights}
    assert set(CONTROLS) == {f.name for f in dataclasses.fields(Recipe)} - {"name"}


def test_the_sections_cover_the_controls_exactly_once():
    assert [name for names in SECTIONS.values() for name in names] == list(CONTROLS)
    assert all(title and names for title, names in SECTIONS.items())


def test_a_field_that_nobody_sets_by_hand_has_no_control():
    (name,) = [f for f in dataclasses.fields(Recipe) if f.name == "name"]
    assert control_of(name) is None


@pytest.mark.parametrize("name", CONTROLS)
def test_every_default_is_allowed_and_of_its_controls_kind(name):
    default = getattr(Recipe(), name)
    assert type(default) is CONTROLS[name].kind
    assert CONTROLS[name].checked(name, default) == default


# Explanations


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_explained_in_whole_sentences(name):
    explanation = CONTROLS[name].help
    assert explanation[0].isupper()
    assert explanation.endswith(".")
    assert len(explanation) > 40


@pytest.mark.parametrize("name", CHOICES)
def test_every_choices_help_says_what_each_does(name):
    for value in CONTROLS[name].choices:
        word = {"lbfgs": "l-bfgs"}.get(value, value)
        assert word in CONTROLS[name].help.lower()


# Numbers


@pytest.mark.parametrize("name", NUMBERS)
def test_both_bounds_are_allowed(name):
    control = NUMBERS[name]
    assert getattr(Recipe(**{name: control.kind(control.minimum)}), name) == control.minimum
    if math.isfinite(control.maximum):
        assert getattr(Recipe(**{name: control.kind(control.maximum)}), name) == control.maximum


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_out_of_bounds_are_refused_with_the_bounds(name):
    control = NUMBERS[name]
    with pytest.raises(ValueError, match=f"^{name} must be .*{control.minimum:g}.*; not "):
        Recipe(**{name: control.kind(control.minimum - 1)})
    if math.isfinite(control.maximum):
        with pytest.raises(ValueError, match=f"^{name} must be between .* and .*; not "):
            Recipe(**{name: control.kind(control.maximum + 1)})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_not_finite_are_refused(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be "):
        Recipe(**{name: value})


@pytest.mark.parametrize("value", ["3", True, None, [3], 3 + 0j, "many"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a (whole )?number, not "):
        Recipe(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_have_no_fraction(name):
    least = NUMBERS[name].minimum
    with pytest.raises(TypeError, match=f"^{name} must be a whole number, not {least + 0.5}"):
        Recipe(**{name: least + 0.5})
    assert type(getattr(Recipe(**{name: float(least)}), name)) is int


@pytest.mark.parametrize("value", [np.int64(64), np.uint16(64), np.float32(64), np.float64(64)])
@pytest.mark.parametrize("name", ["size", "style_weight"])
def test_numpys_numbers_become_pythons(name, value):
    recipe = Recipe(**{name: value})
    assert getattr(recipe, name) == 64
    assert type(getattr(recipe, name)) is NUMBERS[name].kind
    assert Recipe.from_json(recipe.to_json()) == recipe


# Choices, texts and switches


@pytest.mark.parametrize("name", [n for n in CHOICES if n not in ("style_loss", "style_norm")])
def test_every_choice_is_allowed(name):
    for value in CHOICES[name].choices:
        assert getattr(Recipe(**{name: value}), name) == value


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_not_among_the_choices_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name} must be one of .*; not 'else'"):
        Recipe(**{name: "else"})


@pytest.mark.parametrize("value", [3, None, ["cpu"], b"cpu"])
@pytest.mark.parametrize("name", [*TEXTS, "name"])
def test_what_is_no_text_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a str, not "):
        Recipe(**{name: value})


@pytest.mark.parametrize("value", [1, 0, "yes", None])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_yes_or_no(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a bool, not "):
        Recipe(**{name: value})
    assert getattr(Recipe(**{name: False}), name) is False


# Several numbers


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("value", [(0.7, 0.3), [0.7, 0.3], "0.7, 0.3", " 0.7 0.3 ", ".7,3e-1"])
def test_several_numbers_become_a_tuple(name, value):
    assert getattr(Recipe(**{name: value}), name) == (0.7, 0.3)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("value", "error", "told"),
    [
        (0.7, TypeError, " must be several numbers, not 0.7"),
        (None, TypeError, " must be several numbers, not None"),
        ((0.7, None), TypeError, " must be a number, not None"),
        ((0.7, "0.3"), TypeError, " must be a number, not '0.3'"),
        ((0.7, -1), ValueError, " must be at least 0 and finite; not -1"),
        ("0.7, much", ValueError, " must be numbers such as 0.7, 0.3; not 'much'"),
        ("0.7, nan", ValueError, " must be at least 0 and finite; not nan"),
    ],
)
def test_several_numbers_are_each_checked(name, value, error, told):
    with pytest.raises(error, match=f"^{name}{told}"):
        Recipe(**{name: value})


@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_control_writes_it_reads_again(name):
    control, default = CONTROLS[name], getattr(Recipe(), name)
    if control.kind in (LayerWeights, tuple, str):
        assert control.checked(name, control.parse(name, control.text(default))) == default
    assert isinstance(control.text(default), str)


def test_no_numbers_are_read_from_nothing():
    assert Recipe(style_blend="").style_blend == ()
    assert CONTROLS["style_blend"].text((0.25, 1.0)) == "0.25, 1"
