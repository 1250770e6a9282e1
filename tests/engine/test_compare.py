"""Several images made in turn, as one run."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.compare import Panel, in_turn
from napari_nst.engine.iteration import Iteration
from tests.helpers.panels import assert_same_images, panels_of
from tests.helpers.small_images import CONTENT, STYLE

LAYERS = ["relu1_1", "conv2_1", "relu2_2"]
GREY = CONTENT[..., 0]


# One run


def panel(label, steps, *seconds):
    """Return a panel whose iterations end at these times; fewer times than steps end it early."""

    def begin():
        for step, at in enumerate(seconds, start=1):
            left = at / step * (steps - step)
            yield Iteration(step, steps, {}, (1, 1), at, left, torch.zeros(1, 3, 1, 1))

    return Panel(label, steps, begin)


def test_steps_and_seconds_continue_through_all_images():
    found = list(in_turn([panel("a", 3, 1, 2, 3), panel("b", 2, 1, 2), panel("c", 1, 1)], {}, {}))
    assert [it.step for it in found] == [1, 2, 3, 4, 5, 6]
    assert {it.steps for it in found} == {6}
    assert [it.panel for it in found] == [0, 0, 0, 1, 1, 2]
    assert {it.panels for it in found} == {("a", "b", "c")}
    assert [it.seconds for it in found] == [1, 2, 3, 4, 5, 6]
    found = in_turn([panel(name, 2, 5.0, 10.0) for name in "abc"], {}, {})
    assert [it.seconds_left for it in found] == [25, 20, 15, 10, 5, 0]


def test_a_run_begins_when_it_is_its_turn_and_not_after_one_that_ended_early():
    def never():
        raise AssertionError

    found = in_turn([panel("a", 2, 1, 2), panel("b", 3, 1), Panel("c", 2, never)], {}, {})
    assert [it.step for it in found] == [1, 2, 3]
    assert list(in_turn([panel("a", 2), Panel("b", 2, never)], {}, {})) == []


@pytest.mark.parametrize(
    "run",
    [
        lambda recipe, **given: nst.compare_reconstructions(
            CONTENT, recipe, layers=LAYERS, **given
        ),
        lambda recipe, **given: nst.compare_textures(STYLE, recipe, layers=LAYERS, **given),
        lambda recipe, **given: nst.stylize_channels(
            [GREY, GREY.T, GREY], [STYLE], recipe, **given
        ),
    ],
    ids=["reconstructions", "textures", "channels"],
)
def test_steering_stops_all_images(quick, run):
    steering, steps = nst.Steering(), []
    for it in run(quick(init="noise", size=32, min_size=20, steps=4), steering=steering):
        steps.append(it.step)
        assert (it.steps, len(it.panels), it.full_shape) == (12, 3, (32, 32))
        if it.step == 6:
            steering.stop()
    assert steps == [1, 2, 3, 4, 5, 6]


# Layers compared


def test_each_reconstruction_is_that_of_its_layer_alone(quick):
    recipe = quick(init="noise", content_layers={"relu1_1": 3, "relu2_1": 2})
    panels = panels_of(nst.compare_reconstructions(CONTENT, recipe, layers=["conv_1", "relu2_2"]))
    assert panels[0][0].panels == ("conv1_1", "relu2_2")
    for layer, found in zip(("conv1_1", "relu2_2"), panels, strict=True):
        alone = recipe.replace(content_layers={layer: 1.0})
        assert_same_images(found, nst.reconstruct(CONTENT, alone))
        assert {name for name in found[0].losses if "/" in name} == {f"content/{layer}"}


@pytest.mark.parametrize("cumulative", [False, True])
def test_each_texture_is_that_of_its_layers_alone(quick, cumulative):
    recipe = quick(init="noise", steps=2)
    options = {"layers": LAYERS, "shape": (24, 40), "cumulative": cumulative}
    panels = panels_of(nst.compare_textures(STYLE, recipe, **options))
    labels = ("relu1_1", "to conv2_1", "to relu2_2") if cumulative else tuple(LAYERS)
    assert panels[0][0].panels == labels
    for count, found in enumerate(panels, start=1):
        used = LAYERS[:count] if cumulative else [LAYERS[count - 1]]
        own = recipe.replace(style_layers=dict.fromkeys(used, 1 / len(used)))
        assert_same_images(found, nst.synthesize(STYLE, own, shape=(24, 40)))


# Channels


def test_each_channel_is_stylized_in_grey_with_its_own_style(quick):
    contents, styles = [GREY, 255 - GREY], [STYLE, STYLE[..., ::-1]]
    recipe = quick(channels="rgb")
    panels = panels_of(nst.stylize_channels(contents, styles, recipe, labels=["DAPI", "GFP"]))
    assert panels[0][0].panels == ("DAPI", "GFP")
    for content, style, found in zip(contents, styles, panels, strict=True):
        assert_same_images(found, nst.stylize(content, style, quick()))
        assert all(it.is_grey and it.picture.shape == (32, 32) for it in found)


def test_one_style_is_used_for_all_channels_at_its_pixel_size(quick):
    contents, sizes = [GREY, 255 - GREY], (1.0, 0.5)
    recipe = quick(style_sizing="physical", size=0, steps=1)
    panels = panels_of(nst.stylize_channels(contents, [STYLE], recipe, pixel_sizes=sizes))
    assert panels[0][0].panels == ("channel 0", "channel 1")
    for content, found in zip(contents, panels, strict=True):
        assert_same_images(found, nst.stylize(content, STYLE, recipe, pixel_sizes=sizes))


# Records


def test_records_are_those_of_the_whole(quick):
    recipe = quick(init="noise", steps=1)
    last = list(nst.compare_reconstructions(CONTENT, recipe, layers=LAYERS[:2]))[-1]
    record = last.record(["photo.png"])
    assert record["recipe"] == recipe.to_dict()
    assert record["arguments"] == {"compare": "layers", "layers": LAYERS[:2]}
    assert record["inputs"]["image"]["name"] == "photo.png"
    options = {"layers": LAYERS, "cumulative": True, "shape": (32, 40)}
    assert next(nst.compare_textures(CONTENT, recipe, **options)).record()["arguments"] == {
        "compare": "cumulative", "layers": LAYERS, "shape": [32, 40],
    }  # fmt: skip
    first = next(nst.stylize_channels([GREY, GREY // 2], [STYLE], quick(), labels=["dna", "actin"]))
    assert list(first.record()["inputs"]) == ["content dna", "content actin", "style 1"]
    np.testing.assert_equal(first.record()["arguments"], {})
