"""Attacks on a recipe's JSON: what is read is a recipe, and all else is refused in one sentence."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names

NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e308, 5e-324, -0.0, 2**63])
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["relu1_1", "conv5_4", "pool3"]) | st.text(max_size=9),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
FIELDS = st.dictionaries(
    st.sampled_from([*CONTROLS, "name"]) | st.text(max_size=9), VALUES, max_size=4
)


@st.composite
def damaged(draw):
    """Return the JSON of a preset with some characters replaced, removed or repeated."""
    text = preset(draw(st.sampled_from(preset_names()))).to_json()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        put = draw(st.sampled_from(["", "9", "-", '"', "{", "[", "e9", "NaN", "null", "\\ud800"]))
        text = text[:start] + put * draw(st.sampled_from([1, 2, 400])) + text[end:]
    return text


@settings(max_examples=100)
@given(text=st.one_of(FIELDS.map(json.dumps), damaged(), st.text(), VALUES.map(json.dumps)))
def test_a_text_is_a_recipe_or_one_sentence(text):
    try:
        recipe = Recipe.from_json(text)
    except (TypeError, ValueError) as error:
        said = str(error)
        assert said.endswith((".", "?"))
        assert len(said.splitlines()) == 1
    else:
        assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("text", ["[" * 200_000, '{"size":' * 99_999, '{"size": 1' + "0" * 5000])
def test_a_text_that_is_deep_or_long_is_refused(text):
    with pytest.raises(ValueError, match="recipe"):
        Recipe.from_json(text)
