"""The layer that a run draws into: values, position, and several images in one layer."""

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.channels import channel_slices
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.layers.position import move_slider
from napari_nst.viewer.layers.read import shown_slice
from tests.helpers.fake_iterations import iteration

LABELS = ("conv1_1", "conv2_1", "conv3_1")


@pytest.fixture
def viewer(windowless):
    return windowless


def live_for(viewer, model, content, **options):
    picture = shown_slice(content, model.dims)
    return LiveLayer(viewer, "result", picture.position, picture.intensity, **options)


def photo(model, shape=(48, 64, 3)):
    return model.add_image(np.zeros(shape, np.uint8), rgb=True, name="photo")


def micrograph(model, **options):
    pixels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    options = {"contrast_limits": (100, 1100), "colormap": "magma", **options}
    return model.add_image(pixels, name="micrograph", **options)


def corners(layer):
    height, width = np.array(layer.data.shape[:2])
    return [
        layer.data_to_world((y - 0.5, x - 0.5)) for y in (0, int(height)) for x in (0, int(width))
    ]


# ── one image ──────────────────────────────────────────────────────────────────────────────


def test_the_first_image_makes_the_layer(viewer, model):
    live = live_for(viewer, model, photo(model))
    live.describe({"recipe": {}})
    assert live.layer is None
    assert not live.removed
    assert len(model.layers) == 1


def test_every_size_covers_the_same_area(viewer, model):
    content = model.add_image(
        np.zeros((48, 64, 3), np.uint8), rgb=True, scale=(2, 3), translate=(5, 7), rotate=20
    )
    live = live_for(viewer, model, content)
    for step, shape in enumerate([(12, 16), (24, 32), (48, 64), (96, 128)], start=1):
        live.show(iteration(step, 4, shape))
        assert live.layer.data.shape == (*shape, 3)
        assert live.layer.data.dtype == np.uint8
        np.testing.assert_allclose(corners(live.layer), corners(content), atol=1e-9)
    assert len(model.layers) == 2


def test_layers_linked_with_a_result_keep_their_place(viewer, model):
    content = photo(model, shape=(48, 64, 3))
    content.scale, content.translate = (2, 3), (5, 7)
    before = corners(content)
    live = live_for(viewer, model, content)
    live.show(iteration(1, 3, (12, 16)))
    model.layers.link_layers([content, model.layers["result"]])
    for step, shape in enumerate([(24, 32), (48, 64)], start=2):
        live.show(iteration(step, 3, shape))
        np.testing.assert_allclose(corners(content), before)
        np.testing.assert_allclose(corners(live.layer), before)
    content.opacity = 0.5
    assert live.layer.opacity == 0.5, "what a run does not change stays linked"


@pytest.mark.parametrize(
    "moved",
    [
        {"translate": (15.5, -7)},
        {"scale": (5, 6)},
        {"rotate": 30},
        {"shear": [0.5]},
        {"affine": [[0, 2, 5], [-1, 0, 6], [0, 0, 1]]},
    ],
)
def test_a_result_that_was_moved_stays_there(viewer, model, moved):
    content = model.add_image(
        np.zeros((48, 64, 3), np.uint8), rgb=True, scale=(2, 3), translate=(5, 7), rotate=20
    )
    live = live_for(viewer, model, content)
    live.show(iteration(1, 4, (12, 16)))
    for name, value in moved.items():
        setattr(live.layer, name, value)
    placed = corners(live.layer)
    for step, shape in enumerate([(24, 32), (96, 128)], start=2):
        live.show(iteration(step, 4, shape))
        np.testing.assert_allclose(corners(live.layer), placed, atol=1e-9)


def test_a_moved_result_in_a_slice_stays_there(viewer, model):
    content = model.add_image(np.zeros((5, 48, 64), np.uint8), scale=(10, 2, 2))
    move_slider(content, model.dims, 0, 3)
    live = live_for(viewer, model, content)
    live.show(iteration(1, 2, (12, 16), grey=True))
    live.layer.translate = np.add(live.layer.translate, (10, 4, -6))
    first = live.layer.data_to_world((0, -0.5, -0.5))
    last = live.layer.data_to_world((0, 11.5, 15.5))
    live.show(iteration(2, 2, (48, 64), grey=True))
    np.testing.assert_allclose(live.layer.data_to_world((0, -0.5, -0.5)), first)
    np.testing.assert_allclose(live.layer.data_to_world((0, 47.5, 63.5)), last)


def test_grey_is_scaled_to_the_contrast_limits(viewer, model):
    content = micrograph(model)
    live = live_for(viewer, model, content)
    live.show(iteration(1, 2, level=0.25, grey=True))
    assert live.layer.data.dtype == np.float32
    np.testing.assert_allclose(live.layer.data, 350)
    assert not live.layer.rgb
    assert live.layer.contrast_limits == [100, 1100]
    assert live.layer.colormap.name == "magma"
    live.show(iteration(2, 2, level=1, grey=True))
    np.testing.assert_allclose(live.layer.data, 1100)
    assert live.layer.contrast_limits == [100, 1100]


def test_alpha_is_kept(viewer, model):
    content = model.add_image(np.ones((48, 64, 4), np.float32), rgb=True)
    live = live_for(viewer, model, content)
    live.show(iteration(1, 2, alpha=0.4))
    assert live.layer.rgb
    assert live.layer.data[0, 0].tolist() == [128, 128, 128, 102]


def test_a_slice_of_a_stack_gets_a_result_in_that_slice(viewer, model):
    content = model.add_image(
        np.zeros((5, 48, 64), np.uint8), scale=(10, 2, 2), axis_labels=["z", "y", "x"]
    )
    move_slider(content, model.dims, 0, 3)
    live = live_for(viewer, model, content)
    for step, shape in enumerate([(12, 16), (48, 64)], start=1):
        live.show(iteration(step, 2, shape, grey=True))
        assert live.layer.data.shape == (1, *shape)
        assert live.layer.data_to_world((0, 0, 0))[0] == 30
    assert live.layer.axis_labels == ("z", "y", "x")
    assert model.dims.point[0] == 30


def test_the_record_is_kept_in_the_metadata(viewer, model):
    facts = {"recipe": Recipe(steps=7).to_dict(), "inputs": {"content": {"shape": [48, 64]}}}
    live = live_for(viewer, model, photo(model))
    live.show(one := iteration(1, 2, facts=facts))
    with pytest.raises(ValueError, match="'result' holds no recipe"):
        Recipe.from_layer(live.layer)
    live.describe(one.record(["photo"]))
    record = live.layer.metadata["napari-nst"]
    assert record["inputs"]["content"]["name"] == "photo"
    assert record["step"] == 1
    assert Recipe.from_layer(live.layer) == Recipe(steps=7)
    live.describe({"recipe": Recipe(steps=9).to_dict()})
    assert Recipe.from_layer(live.layer).steps == 9


def test_a_deleted_layer_does_not_come_back(viewer, model):
    live = live_for(viewer, model, photo(model))
    live.show(iteration(1, 2))
    model.layers.remove("result")
    assert live.removed
    live.show(iteration(2, 2))
    assert [layer.name for layer in model.layers] == ["photo"]


# ── several images ─────────────────────────────────────────────────────────────────────────


def show_panel(live, panel, step=1, shape=(24, 32), level=None, **options):
    level = 0.2 * (panel + 1) if level is None else level
    live.show(
        iteration(
            step, 9, shape, level=level, panel=panel, panels=LABELS, full_shape=(48, 64), **options
        )
    )


def slider(model, axis=0):
    return round(model.dims.point[axis])


def overlay(model):
    return model.canvas.overlays.text


def test_images_share_a_layer(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0, shape=(12, 16))
    assert live.layer.data.shape == (3, 48, 64, 3)
    assert (live.layer.data[0] == 51).all()
    assert (live.layer.data[1:] == 0).all()
    show_panel(live, 1, shape=(48, 64))
    assert [int(panel.max()) for panel in live.layer.data] == [51, 102, 0]
    assert live.layer.axis_labels[0] == "picture"
    assert len(model.layers) == 2


@pytest.mark.parametrize("keep_dtype", [False, True])
def test_images_not_begun_are_black(viewer, model, keep_dtype):
    live = live_for(viewer, model, micrograph(model), keep_dtype=keep_dtype)
    show_panel(live, 0, grey=True)
    assert live.layer.data.dtype == (np.uint16 if keep_dtype else np.float32)
    np.testing.assert_allclose(live.layer.data[0], 300, atol=1e-3)
    assert (live.layer.data[1:] == 100).all()  # what the limits draw as black


def test_images_of_a_slice_stay_in_that_slice(viewer, model):
    content = model.add_image(np.zeros((5, 48, 64), np.uint8), scale=(10, 2, 2))
    move_slider(content, model.dims, 0, 3)
    live = live_for(viewer, model, content)
    show_panel(live, 0, grey=True)
    assert live.layer.data.shape == (3, 1, 48, 64)
    show_panel(live, 2, grey=True)
    assert slider(model) == 2
    assert model.dims.point[1] == 30
    assert not model.layers["result"]._slice.empty
    assert overlay(model).text == "conv3_1"


def test_channels_stay_on_their_axis(viewer, model):
    content = model.add_image(np.zeros((3, 48, 64), np.uint16), contrast_limits=(0, 1000))
    move_slider(content, model.dims, 0, 2)
    channels = channel_slices(content, model.dims, 0)
    live = LiveLayer(viewer, "result", channels[0].position, channels[0].intensity)
    show_panel(live, 0, grey=True)
    assert live.layer.data.shape == (3, 48, 64)
    assert slider(model) == 0
    show_panel(live, 1, grey=True)
    assert slider(model) == 1
    assert overlay(model).text == "conv2_1"


def test_the_axis_of_images_has_the_unit_of_a_deeper_layer(viewer, model):
    """With two units on one axis, napari would give up all units."""
    model.add_image(np.zeros((9, 10, 10)), units=["nm"] * 3, scale=[500] * 3)
    content = model.add_image(np.zeros((48, 64)), units=["um"] * 2)
    live = live_for(viewer, model, content)
    show_panel(live, 0, grey=True)
    show_panel(live, 2, grey=True)
    assert [str(unit) for unit in model.layers.units] == ["pixel", *["nanometer"] * 3]
    assert live.layer.data.shape == (3, 1, 48, 64)
    assert overlay(model).text == "conv3_1"


def test_the_slider_follows_the_current_image(viewer, model):
    live = live_for(viewer, model, photo(model))
    for panel in range(3):
        for step in (1, 2):
            show_panel(live, panel, step)
            assert slider(model) == panel
            assert overlay(model).text == LABELS[panel]


def test_a_slider_that_the_user_moved_stays_until_it_is_moved_back(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 1)
    model.dims.set_point(0, 0)
    show_panel(live, 1, 2)
    show_panel(live, 2)
    assert slider(model) == 0
    assert overlay(model).text == "conv1_1"
    model.dims.set_point(0, 2)
    show_panel(live, 0)
    assert slider(model) == 0


def test_the_text_is_restored_when_the_layer_is_removed(viewer, model):
    overlay(model).text, overlay(model).visible = "my own words", False
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    model.dims.set_point(0, 2)
    model.layers.remove("result")
    assert (overlay(model).text, overlay(model).visible) == ("my own words", False)
    model.add_image(np.zeros((3, 8, 8)))
    model.dims.set_point(0, 1)
    assert overlay(model).text == "my own words"


def test_a_text_that_the_user_wrote_meanwhile_is_restored(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    overlay(model).text = "written meanwhile"
    model.dims.set_point(0, 1)
    assert overlay(model).text == "conv2_1"
    model.layers.remove("result")
    assert (overlay(model).text, overlay(model).visible) == ("written meanwhile", True)


def test_the_text_is_hidden_with_the_layer(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 1)
    live.layer.visible = False
    assert (overlay(model).text, overlay(model).visible) == ("", False)
    live.layer.visible = True
    assert (overlay(model).text, overlay(model).visible) == ("conv2_1", True)


def test_the_upper_of_two_layers_is_named(viewer, model):
    overlay(model).text = "my own words"
    content = photo(model)
    one, two = (live_for(viewer, model, content) for _ in range(2))
    show_panel(one, 1)
    two.show(iteration(1, 9, panel=1, panels=("a", "b", "c")))
    assert overlay(model).text == "b"
    model.dims.set_point(0, 2)
    assert overlay(model).text == "c"
    model.layers.move(model.layers.index("result"), len(model.layers))  # the first to the top
    assert overlay(model).text == "conv3_1"
    model.layers.remove("result [1]")
    model.dims.set_point(0, 0)
    assert overlay(model).text == "conv1_1"
    model.layers.remove("result")
    assert (overlay(model).text, overlay(model).visible) == ("my own words", False)


def test_nothing_outlives_the_layer_and_the_viewer():
    model = ViewerModel()
    live = live_for(model, model, photo(model))
    show_panel(live, 0)
    layer = weakref.ref(live.layer)
    model.layers.remove("result")
    live = live_for(model, model, photo(model))
    show_panel(live, 0)  # napari itself lets go of a layer when another comes
    gc.collect()
    assert layer() is None
    viewer = weakref.ref(model)
    del model, live
    gc.collect()
    assert viewer() is None
