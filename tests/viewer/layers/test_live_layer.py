"""The layer that a run draws into: what it holds, where it lies, and several pictures in one."""

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


# ── one picture ──────────────────────────────────────────────────────────────────────────────


def test_there_is_no_layer_before_there_is_a_picture(viewer, model):
    live = live_for(viewer, model, photo(model))
    live.describe({"recipe": {}})
    assert live.layer is None
    assert not live.removed
    assert len(model.layers) == 1


def test_every_size_is_drawn_at_the_same_place(viewer, model):
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


def test_an_iteration_is_drawn_once(viewer, model):
    live = live_for(viewer, model, photo(model))
    one = iteration(1, 2)
    live.show(one)
    drawn = live.layer.data
    live.show(one)
    assert live.layer.data is drawn
    assert live.shown is one


def test_grey_goes_into_the_contents_numbers(viewer, model):
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


def test_the_type_is_kept_on_request(viewer, model):
    live = live_for(viewer, model, micrograph(model), keep_dtype=True)
    live.show(iteration(1, 2, level=0.2504, grey=True))
    assert live.layer.data.dtype == np.uint16
    assert (live.layer.data == 350).all()


def test_colours_of_a_grey_content_are_rgb(viewer, model):
    live = live_for(viewer, model, micrograph(model), keep_dtype=True)
    live.show(iteration(1, 2))
    assert live.layer.rgb
    assert live.layer.data.dtype == np.uint8


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


def test_what_made_it_is_kept_with_it(viewer, model):
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


def test_a_layer_that_was_deleted_does_not_come_back(viewer, model):
    live = live_for(viewer, model, photo(model))
    live.show(iteration(1, 2))
    model.layers.remove("result")
    assert live.removed
    live.show(iteration(2, 2))
    assert [layer.name for layer in model.layers] == ["photo"]


# ── several pictures ─────────────────────────────────────────────────────────────────────────


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


def test_panels_share_a_layer_each_in_its_place(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0, shape=(12, 16))
    assert live.layer.data.shape == (3, 48, 64, 3)
    assert (live.layer.data[0] == 51).all()
    assert (live.layer.data[1:] == 0).all()
    show_panel(live, 1, shape=(48, 64))
    assert [int(panel.max()) for panel in live.layer.data] == [51, 102, 0]
    assert live.layer.axis_labels[0] == "picture"
    assert len(model.layers) == 2


def test_coarse_panels_are_enlarged_in_place(viewer, model):
    live = live_for(viewer, model, photo(model))
    coarse = iteration(1, 9, (2, 3), panel=1, panels=LABELS, full_shape=(4, 7))
    ramp = np.arange(6, dtype=np.float32).reshape(2, 3, 1) / 5
    coarse.__dict__["image"] = np.repeat(ramp, 3, axis=-1)
    live.show(coarse)
    rows = [[0, 0, 0, 51, 51, 102, 102], [153, 153, 153, 204, 204, 255, 255]]
    assert live.layer.data[1, ..., 0].tolist() == [rows[0], rows[0], rows[1], rows[1]]


@pytest.mark.parametrize("keep_dtype", [False, True])
def test_panels_not_begun_are_black(viewer, model, keep_dtype):
    live = live_for(viewer, model, micrograph(model), keep_dtype=keep_dtype)
    show_panel(live, 0, grey=True)
    assert live.layer.data.dtype == (np.uint16 if keep_dtype else np.float32)
    np.testing.assert_allclose(live.layer.data[0], 300, atol=1e-3)
    assert (live.layer.data[1:] == 100).all()  # what the limits draw as black


def test_panels_of_a_slice_lie_in_that_slice(viewer, model):
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


def test_channels_in_turn_lie_along_their_axis(viewer, model):
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


def test_the_axis_of_panels_takes_the_unit_that_a_deeper_layer_gave_it(viewer, model):
    """With two units on one axis, napari would give up all units."""
    model.add_image(np.zeros((9, 10, 10)), units=["nm"] * 3, scale=[500] * 3)
    content = model.add_image(np.zeros((48, 64)), units=["um"] * 2)
    live = live_for(viewer, model, content)
    show_panel(live, 0, grey=True)
    show_panel(live, 2, grey=True)
    assert [str(unit) for unit in model.layers.units] == ["nanometer"] * 3
    assert overlay(model).text == "conv3_1"


def test_the_slider_follows_what_is_being_made(viewer, model):
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


def test_the_text_says_which_picture_is_shown(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    for panel in (2, 0, 1):
        model.dims.set_point(0, panel)
        assert overlay(model).visible
        assert overlay(model).text == LABELS[panel]


def test_text_is_put_back_when_the_layer_goes(viewer, model):
    overlay(model).text, overlay(model).visible = "my own words", False
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    model.dims.set_point(0, 2)
    model.layers.remove("result")
    assert (overlay(model).text, overlay(model).visible) == ("my own words", False)
    model.add_image(np.zeros((3, 8, 8)))
    model.dims.set_point(0, 1)
    assert overlay(model).text == "my own words"


def test_text_that_the_user_wrote_meanwhile_is_put_back(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    overlay(model).text = "written meanwhile"
    model.dims.set_point(0, 1)
    assert overlay(model).text == "conv2_1"
    model.layers.remove("result")
    assert (overlay(model).text, overlay(model).visible) == ("written meanwhile", True)


def test_text_that_the_user_hid_stays_hidden(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    overlay(model).visible = False
    model.dims.set_point(0, 1)
    assert not overlay(model).visible


def test_text_is_put_away_while_the_layer_is_hidden(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 1)
    live.layer.visible = False
    assert (overlay(model).text, overlay(model).visible) == ("", False)
    live.layer.visible = True
    assert (overlay(model).text, overlay(model).visible) == ("conv2_1", True)


def test_no_picture_is_named_while_the_axis_of_pictures_is_shown(viewer, model):
    live = live_for(viewer, model, photo(model))
    show_panel(live, 1)
    model.dims.order = (1, 2, 0)
    assert not overlay(model).visible
    show_panel(live, 2)
    model.dims.order = (0, 1, 2)
    assert overlay(model).visible


def test_of_two_such_layers_the_upper_one_is_named(viewer, model):
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


def test_the_name_outlives_the_run(viewer, model):
    """The widget may be closed; the layer is still there to be looked through."""
    live = live_for(viewer, model, photo(model))
    show_panel(live, 0)
    del live
    gc.collect()
    model.dims.set_point(0, 1)
    assert overlay(model).text == "conv2_1"


def test_nobody_listens_when_the_layer_has_gone(viewer, model):
    live = live_for(viewer, model, photo(model))
    emitters = [model.dims.events.point, model.dims.events.order]
    emitters += [model.layers.events.removed, model.layers.events.reordered]
    before = [len(emitter.callbacks) for emitter in emitters]
    show_panel(live, 0)
    assert [len(emitter.callbacks) for emitter in emitters] == [count + 1 for count in before]
    layer = model.layers["result"]  # the user may keep it
    model.layers.remove(layer)
    assert [len(emitter.callbacks) for emitter in emitters] == before
    listeners = [listener.__module__ for listener in layer.events.visible.callbacks]
    assert "napari_nst.viewer.layers.panel_label" not in listeners


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
