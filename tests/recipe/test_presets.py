"""Presets by name: their lists, their sources, and how to change them."""

from pathlib import Path

import pytest

from napari_nst.recipe import (
    DEFAULT_PRESETS,
    Recipe,
    on_flavour,
    preset,
    preset_names,
    published,
)
from napari_nst.recipe.convert_weights import MEAN_ACTIVATIONS


def test_each_job_lists_its_presets_its_default_first():
    assert preset() == preset("default")
    assert preset_names() == [name for job in DEFAULT_PRESETS for name in preset_names(job)]
    for job, default in DEFAULT_PRESETS.items():
        names = preset_names(job)
        assert names[0] == default
        assert {published(name).job for name in names} == {job}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_suits_its_job_and_has_a_source(name):
    recipe, about = preset(name), published(name)
    assert recipe.name == about.name == name
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert about.source
    assert about.summary
    assert about.flavour == recipe.weights
    assert about.flavour in MEAN_ACTIVATIONS
    job = about.job
    # The nearest neighbours of NNST know the content; it has no other loss of it.
    has_content = job not in ("texture", "solid") and name != "nnst"
    assert (recipe.has_content, recipe.has_style) == (has_content, job != "reconstruction")
    if job != "transfer":
        assert recipe.init == "noise"


def test_fields_of_a_preset_can_be_replaced():
    recipe = preset("gatys-2016", steps=300, style_layers={"conv_1": 1})
    assert (recipe.steps, dict(recipe.style_layers)) == (300, {"conv1_1": 1.0})
    assert recipe.content_weight == preset("gatys-2016").content_weight
    with pytest.raises(ValueError, match=r"'step'.* mean 'steps'"):
        preset("default", step=3)


def test_a_preset_has_the_recipe_of_its_source_for_another_network():
    normalised, caffe = preset("gatys-2016"), preset("gatys-2016", weights="caffe", steps=7)
    assert (normalised.weights, normalised.content_weight) == ("gatys", 1e6)
    assert (caffe.weights, caffe.content_weight, caffe.steps) == ("caffe", 1.0, 7)
    assert caffe.name == "gatys-2016"


def test_otherwise_weights_are_not_converted():
    recipe = preset("pystiche", weights="gatys")
    assert recipe == preset("pystiche").replace(weights="gatys")
    assert recipe != on_flavour(preset("pystiche"), "gatys")


def test_unknown_presets_and_jobs_are_refused():
    for find in (preset, published):
        with pytest.raises(ValueError, match=r"'gatys'.*gatys-2016"):
            find("gatys")
    with pytest.raises(ValueError, match=r"job.* transfer, texture, reconstruction"):
        preset_names("stylize")


def test_the_page_on_how_it_works_lists_them_all():
    page = (Path(__file__).parents[2] / "docs" / "how-it-works.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {about.job} | `{about.flavour}` | {about.summary} | {about.source} |"
        for name, about in ((name, published(name)) for name in preset_names())
    ]
