"""Terms and phases: changes of a recipe's own fields."""

import json
import pickle

import numpy as np
import pytest

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.phases import PHASE_FIELDS, TERM_FIELDS

MRF = {"style_loss": "mrf", "style_layers": "conv4_1", "style_weight": 0.5}
DEEP = {"content_layers": {"relu5_1": 1}, "content_weight": 3}
REFINED = Recipe(
    style_weight=4.0,
    content_weight=2.0,
    learning_rate=0.5,
    terms=[MRF, DEEP],
    refine_strength=1.5,
    phases=[
        {"optimizer": "adam", "tv_weight": 0.5, "terms": [MRF], "sizes": "coarser", "steps": 2},
        {"style_loss": "gram", "style_norm": "raw", "style_weight": 2, "sizes": 1, "terms": []},
    ],
)


def weights_of(recipe):
    return recipe.content_weight, recipe.style_weight, recipe.tv_weight


def test_a_term_changes_one_kind_of_loss_and_has_its_weight_alone():
    own, style, content = REFINED.with_terms()
    assert (own.terms, own.phases) == ((), ())
    assert weights_of(own) == weights_of(REFINED)
    assert (style.style_loss, dict(style.style_layers)) == ("mrf", {"conv4_1": 1.0})
    assert weights_of(style) == (0.0, 2.0, 0.0)
    assert weights_of(content) == (6.0, 0.0, 0.0)
    assert dict(content.content_layers) == {"relu5_1": 1.0}
    assert (style.terms, content.terms) == ((), ())


def test_a_term_without_weight_is_left_out():
    assert len(REFINED.replace(style_weight=0).with_terms()) == 2
    assert len(Recipe(terms=[{**MRF, "style_weight": 0}, {"style_layers": {}}]).with_terms()) == 1


def test_the_first_phase_is_the_recipes_own():
    own = REFINED.phase(0)
    assert own == REFINED.replace(phases=(), refine_strength=1.0)
    assert Recipe().phase(0) == Recipe()
    for index in (-1, 3):
        with pytest.raises(IndexError):
            REFINED.phase(index)


def test_a_phase_changes_fields_and_its_weights_are_factors():
    first, second = REFINED.phase(1), REFINED.phase(2)
    assert weights_of(first) == (2.0, 6.0, 35.0)
    assert weights_of(second) == (2.0, 12.0, 70.0)
    assert (first.optimizer, first.learning_rate) == ("adam", 0.0)
    assert (second.optimizer, second.learning_rate) == ("lbfgs", 0.5)
    assert (second.style_loss, second.style_norm) == ("gram", "raw")
    assert [len(one.terms) for one in (first, second)] == [1, 0]
    assert first.phases == ()
    assert first.size == REFINED.size


def test_a_changed_loss_takes_a_norm_that_goes_with_it():
    recipe = Recipe(style_loss="gram", style_norm="raw", terms=[MRF], phases=[MRF])
    assert recipe.with_terms()[1].style_norm == "relative"
    assert recipe.phase(1).style_norm == "relative"


def test_terms_and_phases_are_plain_data():
    fields = json.loads(REFINED.to_json())
    assert Recipe.from_dict(fields) == REFINED
    assert type(fields["phases"][0]["terms"][0]["style_layers"]) is dict
    assert pickle.loads(pickle.dumps(REFINED)) == REFINED
    assert hash(REFINED.replace()) == hash(REFINED)
    for name in ("terms", "phases"):
        control, value = CONTROLS[name], getattr(REFINED, name)
        text = control.text(value)
        assert getattr(REFINED.replace(**{name: text}), name) == value
        assert control.text(()) == ""
        assert REFINED.replace(**{name: ""}) == REFINED.replace(**{name: ()})
    with pytest.raises(TypeError):
        REFINED.phases[0]["terms"][0]["style_loss"] = "gram"


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ("[{", "terms"),
        ('[{"style_loss": "mrf", "style_loss": "nn"}]', "style_loss twice"),
        ([3], "terms"),
        ({"style_loss": "mrf"}, "terms"),
        ([{}], "entry 1"),
        ([MRF, {"samples": 64}], "entry 2"),
        ([{**MRF, **DEEP}], "content and style"),
        ([{"size": 64}], "'size'"),
        ([{"style_los": "mrf"}], "'style_loss'"),
        ([{"style_loss": "mr"}], "style_loss must be"),
        ([{"style_weight": -1}], "entry 1: style_weight must be"),
        ([{"style_loss": "mrf", "style_norm": "raw"}], "entry 1: style_norm='raw'"),
    ],
)
def test_other_terms_are_refused(terms, named):
    with pytest.raises((TypeError, ValueError), match=named):
        Recipe(terms=terms)
    if terms != "[{":
        with pytest.raises((TypeError, ValueError), match=named.replace("entry 1: ", "")):
            Recipe(phases=[{"terms": terms}])


@pytest.mark.parametrize(
    ("phase", "named"),
    [
        ({"size": 64}, "entry 1 cannot have 'size'"),
        ({"init": "noise"}, "'init'"),
        ({"phases": []}, "'phases'"),
        ({"optimiser": "adam"}, "'optimizer'"),
        ({"steps": 0}, "steps must be"),
        ({"steps": "2"}, "steps must be"),
        ({"steps": 10**400}, "steps must be"),
        ({"sizes": "fine"}, "sizes must be"),
        ({"sizes": 0}, "sizes must be"),
        ({"sizes": True}, "sizes must be"),
        ({"style_weight": 0, "content_weight": 0}, "entry 1: content_weight and style_weight"),
        ({"style_loss": "gram", "style_norm": "sum"}, "style_norm='sum'"),
    ],
)
def test_other_phases_are_refused(phase, named):
    with pytest.raises(ValueError, match=named):
        Recipe(phases=[phase])


def test_a_phase_that_refine_strength_leaves_without_a_loss_is_refused():
    with pytest.raises(ValueError, match="refine_strength"):
        Recipe(refine_strength=0, phases=[{"content_weight": 0}])
    assert Recipe(refine_strength=0, phases=[{}]).phase(1).style_weight == 0


def test_tiles_go_with_all_terms_and_phases_or_are_refused():
    for fields in ({"terms": [MRF]}, {"phases": [MRF]}, {"phases": [{"terms": [MRF]}]}):
        with pytest.raises(ValueError, match="tile"):
            Recipe(tile=128, **fields)


def test_terms_and_phases_change_fields_of_the_recipe_alone():
    assert set(TERM_FIELDS) < set(PHASE_FIELDS) < set(CONTROLS)


def test_phases_must_end_at_the_finest_size():
    assert Recipe(phases=[{"sizes": np.int64(2)}, {}]).phases[0] == {"sizes": 2}
    for sizes in ("coarser", 2):
        with pytest.raises(ValueError, match="finest"):
            Recipe(phases=[{}, {"sizes": sizes}])


def test_a_term_of_the_image_needs_no_layers():
    recipe = Recipe(terms=[{"style_loss": "spectrum", "style_layers": {}}])
    assert recipe.with_terms()[1].has_style
