"""Several pictures made in turn, as one run."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine import api as jobs
from napari_nst.engine.compare import (
    Panel,
    compare_reconstructions,
    compare_textures,
    in_turn,
    stylize_channels,
)
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.run import run as course
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe.layer_names import COMPARED_LAYERS
from tests.helpers.small_images import CONTENT, STYLE

LAYERS = ["relu1_1", "conv2_1", "relu2_2"]
GREY = CONTENT[..., 0]


def panels_of(iterations):
    """Return the iterations of each panel."""
    iterations = list(iterations)
    return [
        [it for it in iterations if it.panel == index] for index in range(len(iterations[0].panels))
    ]


def assert_same_pictures(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses
        assert one.shape == other.shape


# One run


def iteration(step, steps, seconds, left=0.0):
    return Iteration(step, steps, {}, (1, 1), seconds, left, torch.zeros(1, 3, 1, 1))


def test_steps_go_on_through_all_pictures():
    panels = [
        Panel(name, steps, iter([iteration(i, steps, i) for i in range(1, steps + 1)]))
        for name, steps in (("a", 3), ("b", 2), ("c", 4))
    ]
    iterations = list(in_turn(panels))
    assert [it.step for it in iterations] == list(range(1, 10))
    assert {it.steps for it in iterations} == {9}
    assert [it.panel for it in iterations] == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert {it.panels for it in iterations} == {("a", "b", "c")}
    assert [it.seconds for it in iterations] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_time_left_is_that_of_all_pictures_to_come():
    panels = [
        Panel(name, 2, iter([iteration(1, 2, 5.0, 5.0), iteration(2, 2, 10.0)])) for name in "abc"
    ]
    assert [it.seconds_left for it in in_turn(panels)] == [25, 20, 15, 10, 5, 0]


def test_pictures_are_begun_when_it_is_their_turn():
    begun = []

    def run(name):
        begun.append(name)
        yield iteration(1, 1, 1.0)

    iterations = in_turn([Panel(name, 1, run(name)) for name in "ab"])
    assert begun == []
    next(iterations)
    assert begun == ["a"]
    iterations.close()
    assert begun == ["a"]


def test_a_single_picture_has_no_panels(quick):
    for it in jobs.stylize(CONTENT, STYLE, quick()):
        assert it.panels == ()
        assert it.panel == 0


EVERY_KIND = pytest.mark.parametrize(
    "run",
    [
        lambda recipe, **given: compare_reconstructions(CONTENT, recipe, layers=LAYERS, **given),
        lambda recipe, **given: compare_textures(STYLE, recipe, layers=LAYERS, **given),
        lambda recipe, **given: stylize_channels([GREY, GREY.T, GREY], [STYLE], recipe, **given),
    ],
    ids=["reconstructions", "textures", "channels"],
)


@EVERY_KIND
def test_seconds_and_steps_of_whole_runs_only_grow(quick, run):
    iterations = list(run(quick(init="noise", size=32, min_size=20, steps=4)))
    assert [it.step for it in iterations] == list(range(1, 13))
    assert {it.steps for it in iterations} == {12}
    seconds = [it.seconds for it in iterations]
    assert seconds == sorted(set(seconds))
    assert min(it.seconds_left for it in iterations) >= 0
    assert iterations[-1].seconds_left == pytest.approx(0, abs=1e-9)
    assert [it.panel for it in iterations] == [0] * 4 + [1] * 4 + [2] * 4
    assert {it.full_shape for it in iterations} == {(32, 32)}


@EVERY_KIND
@pytest.mark.parametrize("at", [1, 5], ids=["in the first", "in the second"])
def test_a_steering_ends_all_of_it_within_an_iteration(quick, monkeypatch, run, at):
    steering, looks = Steering(), []
    iterations, made = run(quick(init="noise", steps=4), steering=steering), []
    along = VGG19.along

    def stopped_on_the_way(*args):
        for layer in along(*args):
            if len(made) == at:
                looks.append(layer)
                steering.stop()
            yield layer

    monkeypatch.setattr(VGG19, "along", stopped_on_the_way)
    for it in iterations:
        made.append(it)
    assert [it.step for it in made] == list(range(1, at + 1))
    assert len(looks) == 1


def test_where_one_picture_ends_early_those_after_it_are_not_begun():
    def never():
        raise AssertionError
        yield

    panels = [
        Panel("a", 2, iter([iteration(1, 2, 1.0), iteration(2, 2, 2.0)])),
        Panel("b", 3, iter([iteration(1, 3, 1.0)])),
        Panel("c", 2, never()),
    ]
    assert [it.step for it in in_turn(panels)] == [1, 2, 3]
    panels = [Panel("a", 2, iter([])), Panel("b", 2, never())]
    assert list(in_turn(panels)) == []


# Layers compared


def test_each_reconstruction_is_that_of_its_layer_alone(quick):
    recipe = quick(init="noise", content_layers={"relu1_1": 3, "relu2_1": 2})
    panels = panels_of(compare_reconstructions(CONTENT, recipe, layers=LAYERS))
    assert panels[0][0].panels == tuple(LAYERS)
    for layer, panel in zip(LAYERS, panels, strict=True):
        alone = recipe.replace(content_layers={layer: 1.0})
        assert_same_pictures(panel, jobs.reconstruct(CONTENT, alone))
        assert {name for name in panel[0].losses if "/" in name} == {f"content/{layer}"}


def test_each_texture_is_that_of_its_layer_alone(quick):
    recipe = quick(init="noise")
    panels = panels_of(compare_textures(STYLE, recipe, layers=LAYERS, shape=(24, 40)))
    assert panels[0][0].panels == tuple(LAYERS)
    for layer, panel in zip(LAYERS, panels, strict=True):
        alone = recipe.replace(style_layers={layer: 1.0})
        assert_same_pictures(panel, jobs.synthesize(STYLE, alone, shape=(24, 40)))


def test_cumulative_textures_take_the_layers_before_too(quick):
    recipe = quick(init="noise")
    panels = panels_of(compare_textures(STYLE, recipe, layers=LAYERS, cumulative=True))
    assert panels[0][0].panels == ("relu1_1", "to conv2_1", "to relu2_2")
    for count, panel in enumerate(panels, start=1):
        taken = dict.fromkeys(LAYERS[:count], 1 / count)
        assert_same_pictures(panel, jobs.synthesize(STYLE, recipe.replace(style_layers=taken)))


def test_layers_go_by_any_of_their_names_and_are_labelled_by_one(quick):
    iterations = compare_reconstructions(
        CONTENT, quick(init="noise", steps=1), layers=["conv_1", "block1_conv2"]
    )
    assert next(iterations).panels == ("conv1_1", "relu1_2")


def test_the_first_convolutions_of_all_blocks_are_compared_where_nobody_says(quick):
    recipe = quick(init="noise", steps=1)
    for iterations in (compare_reconstructions(CONTENT, recipe), compare_textures(STYLE, recipe)):
        panels = [it.panels[it.panel] for it in iterations]
        assert panels == list(COMPARED_LAYERS)
        assert panels[0] == "conv1_1"
        assert panels[-1] == "conv5_1"


def test_comparisons_have_presets_of_their_own(no_network):
    for iterations in (compare_reconstructions(CONTENT), compare_textures(STYLE)):
        with pytest.raises(AssertionError, match="reached for the weights"):
            next(iterations)


# Channels


def test_each_channel_is_stylized_in_grey_with_its_own_style(quick):
    contents, styles = [GREY, 255 - GREY], [STYLE, STYLE[..., ::-1]]
    recipe = quick()
    panels = panels_of(stylize_channels(contents, styles, recipe, labels=["DAPI", "GFP"]))
    assert panels[0][0].panels == ("DAPI", "GFP")
    for content, style, panel in zip(contents, styles, panels, strict=True):
        assert_same_pictures(panel, jobs.stylize(content, style, recipe))
        assert all(it.is_grey and it.picture.shape == (32, 32) for it in panel)


def test_one_style_does_for_all_channels(quick):
    contents = [GREY, 255 - GREY, GREY.T]
    panels = panels_of(stylize_channels(contents, [STYLE], quick()))
    assert panels[0][0].panels == ("channel 0", "channel 1", "channel 2")
    for content, panel in zip(contents, panels, strict=True):
        assert_same_pictures(panel, jobs.stylize(content, STYLE, quick()))


def test_channels_are_grey_whatever_the_recipe_says(quick):
    for it in stylize_channels([GREY], [STYLE], quick(channels="rgb")):
        assert it.is_grey
        assert it.picture.ndim == 2


def test_pixel_sizes_are_those_of_the_content_and_each_channels_style(quick):
    recipe = quick(style_sizing="physical", size=0, steps=1)
    (panel,) = panels_of(stylize_channels([GREY], [STYLE], recipe, pixel_sizes=(1.0, 0.5)))
    expected = jobs.stylize(GREY, STYLE, recipe, pixel_sizes=(1.0, 0.5))
    assert_same_pictures(panel, expected)


# Records and errors


def test_errors_of_torch_are_explained_in_every_picture(monkeypatch, quick):
    built = []

    def no_room_for_the_second(*args, **options):
        built.append(args)
        if len(built) == 2:
            raise MemoryError
        return network(*args, **options)

    network = course.network_of
    monkeypatch.setattr(course, "network_of", no_room_for_the_second)
    iterations = compare_reconstructions(CONTENT, quick(init="noise", steps=2), layers=LAYERS)
    assert [next(iterations).step for _ in range(2)] == [1, 2]
    with pytest.raises(nst.NstError, match=r"^Out of memory at 32 pixels on device 'cpu'"):
        next(iterations)


def test_the_arrival_of_the_weights_is_reported(monkeypatch, quick, untrained):
    def load(weights, progress):
        progress("downloading", 1, 2)
        return untrained

    monkeypatch.setattr(course, "load", load)
    reported = []
    options = {"layers": LAYERS, "progress": lambda *news: reported.append(news)}
    list(compare_reconstructions(CONTENT, quick(init="noise", steps=1), **options))
    assert reported[0] == ("downloading", 1, 2)


def test_records_are_those_of_the_whole(quick):
    recipe = quick(init="noise", steps=1)
    *_, last = compare_reconstructions(CONTENT, recipe, layers=LAYERS)
    record = last.record(["photo.png"])
    assert record["recipe"] == recipe.to_dict()
    assert record["arguments"] == {"compare": "layers", "layers": LAYERS}
    assert record["inputs"]["image"]["name"] == "photo.png"
    *_, last = compare_textures(CONTENT, recipe, layers=LAYERS, cumulative=True, shape=(32, 40))
    assert last.record()["arguments"] == {
        "compare": "cumulative", "layers": LAYERS, "shape": [32, 40],
    }  # fmt: skip
    *_, last = stylize_channels([GREY, GREY // 2], [STYLE], quick(steps=1), labels=["dna", "actin"])
    assert list(last.record()["inputs"]) == ["content dna", "content actin", "style 1"]
