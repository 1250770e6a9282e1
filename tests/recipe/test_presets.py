"""Presets by name: what there is, whose it is, and how to change it."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from napari_nst.recipe import (
    DEFAULT_PRESETS,
    Recipe,
    on_flavour,
    preset,
    preset_names,
    preset_summary,
    published,
)
from napari_nst.recipe.convert_weights import MEAN_ACTIVATIONS

BY_JOB = {
    "transfer": [
        *("default", "gatys-2016", "gatys-2016-paper", "neural-style", "crowsonkb", "pystiche"),
        *("gordicaleksa", "li-wand", "tf-eager", "conv-k-transfer", "udacity", "tf-gatys"),
    ],
    "texture": [
        *("texture", "gatys-texture", "sliced-wasserstein", "lets-enhance-style"),
        "conv-k-texture",
    ],
    "reconstruction": ["reconstruction", "lets-enhance-content", "conv-k-reconstruction"],
}


# What there is


@pytest.mark.parametrize("job", BY_JOB)
def test_each_job_has_its_presets_its_default_first(job):
    assert preset_names(job) == BY_JOB[job]
    assert DEFAULT_PRESETS[job] == BY_JOB[job][0]
    assert {published(name).job for name in preset_names(job)} == {job}


def test_all_presets_are_those_of_the_jobs_in_turn():
    assert preset_names() == [name for names in BY_JOB.values() for name in names]
    assert list(DEFAULT_PRESETS) == list(BY_JOB)


def test_names_are_the_callers_own_list():
    preset_names().clear()
    assert preset_names()


def test_the_default_is_the_recipes_own():
    assert preset() == preset("default") == Recipe()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_recipe_that_says_its_name(name):
    recipe = preset(name)
    assert isinstance(recipe, Recipe)
    assert recipe.name == name
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_whose_it_is_in_one_line(name):
    facts = published(name)
    assert facts.name == name
    assert preset_summary(name) == facts.summary
    assert 20 < len(facts.summary) < 100
    assert facts.summary.endswith(".")
    assert facts.source
    for line in (facts.summary, facts.source):
        assert "\n" not in line
        assert line == line.strip()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_names_the_network_that_it_was_tuned_for(name):
    assert published(name).flavour == preset(name).weights
    assert published(name).flavour in MEAN_ACTIVATIONS


def test_no_two_presets_have_one_summary():
    summaries = [preset_summary(name) for name in preset_names()]
    assert len(set(summaries)) == len(summaries)


def test_facts_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        published("default").job = "texture"


# What a job needs


@pytest.mark.parametrize("name", BY_JOB["transfer"])
def test_a_transfer_has_content_and_style(name):
    recipe = preset(name)
    assert recipe.has_content
    assert recipe.has_style


@pytest.mark.parametrize("name", BY_JOB["texture"])
def test_a_texture_has_style_alone_and_starts_from_noise(name):
    recipe = preset(name)
    assert (recipe.has_content, recipe.has_style) == (False, True)
    assert recipe.init == "noise"


@pytest.mark.parametrize("name", BY_JOB["reconstruction"])
def test_a_reconstruction_has_content_alone_and_starts_from_noise(name):
    recipe = preset(name)
    assert (recipe.has_content, recipe.has_style) == (True, False)
    assert recipe.init == "noise"


# Changes


def test_fields_of_a_preset_can_be_replaced():
    recipe = preset("gatys-2016", steps=300, style_layers={"conv_1": 1})
    assert recipe.steps == 300
    assert dict(recipe.style_layers) == {"conv1_1": 1.0}
    assert recipe.content_weight == preset("gatys-2016").content_weight
    assert preset("gatys-2016").steps != 300


def test_a_preset_has_what_its_source_has_for_another_network():
    normalised, caffe = preset("gatys-2016"), preset("gatys-2016", weights="caffe", steps=7)
    assert (normalised.weights, normalised.content_weight) == ("gatys", 1e6)
    assert (caffe.weights, caffe.content_weight, caffe.steps) == ("caffe", 1.0, 7)
    assert caffe.name == "gatys-2016"
    assert published("gatys-2016").flavour == "gatys"


def test_other_networks_leave_the_numbers_as_they_are():
    for weights in ("torchvision", "vgg.pth"):
        assert preset("gatys-2016", weights=weights) == preset("gatys-2016").replace(
            weights=weights
        )
    assert preset("pystiche", weights="gatys") != on_flavour(preset("pystiche"), "gatys")


# Errors


@pytest.mark.parametrize("find", [preset, preset_summary, published])
@pytest.mark.parametrize("name", ["gatys", "", "Default"])
def test_a_preset_that_does_not_exist_is_answered_with_those_that_do(find, name):
    with pytest.raises(ValueError, match=f"^There is no preset '{name}'; choose from default, "):
        find(name)


@pytest.mark.parametrize("job", ["stylize", "", "Transfer"])
def test_a_job_that_does_not_exist_is_answered_with_those_that_do(job):
    told = f"^job must be one of transfer, texture, reconstruction; not '{job}'"
    with pytest.raises(ValueError, match=told):
        preset_names(job)


def test_a_field_that_does_not_exist_is_answered_with_the_one_meant():
    with pytest.raises(ValueError, match=r"^A recipe has no field 'step'; did you mean 'steps'\?$"):
        preset("default", step=3)


@pytest.mark.parametrize("weights", [None, 3, ["caffe"]])
def test_weights_of_no_kind_are_refused(weights):
    with pytest.raises(TypeError, match=r"^weights must be a str, not "):
        preset("gatys-2016", weights=weights)


def test_recipes_import_nothing_heavy():
    program = (
        "import sys, napari_nst.recipe;"
        "print({'torch', 'numpy', 'napari', 'qtpy', 'PIL'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.split() == [b"set()"]


def test_the_page_about_recipes_lists_them_all():
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    for name in preset_names():
        facts = published(name)
        assert f"| `{name}` | {facts.job} | `{facts.flavour}` | {facts.source} |" in page
