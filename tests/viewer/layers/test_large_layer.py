"""The multiscale layer of a large result."""

import numpy as np
import pytest

from napari_nst.io.image_files.read_image import read_image
from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.layers.position import data_to_world, move_slider
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.layers.repeated_preview import tile_preview
from napari_nst.viewer.layers.save import save_result
from napari_nst.viewer.run import throttle
from tests.helpers.fake_iterations import iteration
from tests.viewer.layers.test_live_pixels import tile


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(live_pixels, "LARGE", 60)
    monkeypatch.setattr(live_pixels, "COARSEST", 20)
    monkeypatch.setattr(throttle, "PAUSE", 0.0)


@pytest.fixture
def viewer(windowless):
    return windowless


def live_for(viewer, model, content, **options):
    picture = shown_slice(content, model.dims)
    return LiveLayer(viewer, "result", picture.position, picture.intensity, **options)


def photo(model, **options):
    return model.add_image(np.zeros((48, 64, 3), np.uint8), rgb=True, name="photo", **options)


def show(live, step=1, shape=(48, 64), **options):
    """Draw an iteration as a run does, in one thread and then in the other."""
    one = iteration(step, 4, shape, full_shape=(48, 64), **options)
    live.drawn.draw(one)
    live.show(one)
    return one


def extent(layer):
    """The positions of the outer edges in the world."""
    shape = np.array(layer.level_shapes[0])
    corners = np.array([np.full(len(shape), -0.5), shape - 0.5])
    return data_to_world(layer)(corners)


def test_the_levels_of_every_size_cover_the_same_area(viewer, model):
    content = photo(model, scale=(2, 3), translate=(5, 7), rotate=20)
    live = live_for(viewer, model, content)
    shapes = []
    for step, shape in enumerate([(12, 16), (24, 32), (48, 64)], start=1):
        show(live, step, shape)
        assert live.layer.multiscale
        assert live.layer.dtype == np.uint8
        assert live.layer.rgb
        shapes.append([level.shape for level in live.layer.data])
        np.testing.assert_allclose(extent(live.layer), extent(content), atol=1e-9)
        for level in live.layer.data:
            assert (level == round(255 * step / 4)).all()
    assert shapes == [
        [(12, 16, 3)],
        [(24, 32, 3), (12, 16, 3)],
        [(48, 64, 3), (24, 32, 3), (12, 16, 3)],
    ]
    assert len(model.layers) == 2


def test_the_arrays_stay_and_the_layer_is_refreshed_once(viewer, model):
    live = live_for(viewer, model, photo(model))
    one = show(live)
    levels, maxima = list(live.layer.data), []
    live.layer.events.set_data.connect(
        lambda: maxima.append(model.layers["result"]._slice.image.raw.max())
    )
    live.show(one)
    assert maxima == []
    live.drawn.draw_tile(tile(16, 32, level=1.0), one)
    live.drawn.draw_tile(tile(0, 0, level=0.9), one)
    live.show(one)
    assert maxima == [255]
    assert (live.layer.data[0][16:32, 32:48] == 255).all()
    assert all(a is b for a, b in zip(levels, live.layer.data, strict=True))
    show(live, 2)
    assert maxima == [255, 128]
    assert all(a is b for a, b in zip(levels, live.layer.data, strict=True))


def test_a_new_size_is_displayed_at_once(viewer, model):
    """Napari would draw what it has seen of the size before, a corner, until it looks again."""
    live = live_for(viewer, model, photo(model))
    show(live, shape=(6, 8))
    show(live, 2)
    assert model.layers["result"]._slice.image.raw.shape == (12, 16, 3)


def test_a_slice_of_a_stack_gets_a_result_in_that_slice(viewer, model):
    content = model.add_image(np.zeros((5, 48, 64), np.uint8), scale=(10, 2, 2))
    move_slider(content, model.dims, 0, 3)
    live = live_for(viewer, model, content)
    for step, shape in enumerate([(12, 16), (48, 64)], start=1):
        one = show(live, step, shape, grey=True, level=0.2)
        assert live.layer.data[0].shape == (1, *shape)
        assert live.layer.data_to_world((0, 0, 0))[0] == 30
    live.drawn.draw_tile(tile(0, 0, level=1.0), one)
    live.show(one)
    assert (live.layer.data[0][0, :16, :16] == 255).all()
    assert model.layers["result"]._slice.image.raw.max() == 255
    assert model.dims.point[0] == 30


def test_a_transposed_view_gets_an_upright_image(viewer, model, tmp_path):
    content = model.add_image(np.zeros((64, 48), np.uint16), contrast_limits=(0, 1000))
    model.dims.order = (1, 0)
    live = live_for(viewer, model, content, keep_dtype=True)
    one = show(live, grey=True, level=0.2)
    live.drawn.draw_tile(tile(0, 48, level=1.0), one)
    live.show(one)
    assert [level.shape for level in live.layer.data] == [(64, 48), (32, 24), (16, 12)]
    assert live.layer.dtype == np.uint16
    assert (live.layer.data[0][48:, :16] == 1000).all()
    assert (live.layer.data[0][:48] == 200).all()
    live.describe({"step": 1})
    save_result(live.layer, tmp_path / "upright.png")
    assert read_image(tmp_path / "upright.png").shape[:2] == (48, 64)


def test_its_preview_of_tiles_is_multiscale(viewer, model):
    live = live_for(viewer, model, photo(model))
    show(live)
    preview = tile_preview(viewer, live.layer)
    assert preview.multiscale
    assert [level.shape[:2] for level in preview.data] == [(144, 192), (72, 96), (36, 48)]
    show(live, 4)
    tile_preview(viewer, live.layer)
    assert len(model.layers) == 3
    assert (np.asarray(preview.data[0]) == 255).all()


def test_continuing_at_a_large_size_replaces_the_layer(viewer, model):
    content = model.add_image(np.zeros((48, 64), np.uint16), contrast_limits=(0, 1000))
    live = live_for(viewer, model, content)
    small = iteration(4, 4, (24, 32), grey=True)
    live.drawn.draw(small)
    live.show(small)
    assert not live.layer.multiscale
    model.add_image(np.zeros((9, 9)), name="above")
    live.layer.opacity, live.layer.colormap = 0.4, "magma"
    live.layer.contrast_limits_range = (0, 2000)
    live.layer.contrast_limits = (0, 500)
    live.layer.name, live.layer.locked = "mine", True
    live.layer.projection_mode, live.layer.rendering = "max", "minip"
    live.layer.translate = (100, 20)
    live.describe({"step": 4})
    preview = tile_preview(viewer, live.layer)
    model.layers.link_layers([model.layers["mine"], content], ["gamma"])
    model.layers.selection = [content, model.layers["mine"]]
    moved = extent(live.layer)
    show(live, 3, grey=True)
    assert [layer.name for layer in model.layers] == ["Image", "mine", "above", "mine 3 × 3"]
    assert live.layer.multiscale
    assert (live.layer.opacity, live.layer.colormap.name) == (0.4, "magma")
    assert live.layer.contrast_limits == [0, 500]
    assert live.layer.contrast_limits_range == [0, 2000]
    assert live.layer.locked
    assert (str(live.layer.projection_mode), str(live.layer.rendering)) == ("max", "minip")
    assert live.layer.metadata["napari-nst"]["step"] == 4
    assert {layer.name for layer in model.layers.selection} == {"Image", "mine"}
    content.gamma, content.opacity = 0.5, 0.9
    assert (live.layer.gamma, live.layer.opacity) == (0.5, 0.4), "linked by gamma only"
    assert not live.removed
    tile_preview(viewer, live.layer)
    assert len(model.layers) == 4, "it takes the place of the former preview"
    assert preview not in model.layers
    assert model.layers["mine 3 × 3"].multiscale
    show(live, 4, (30, 40), grey=True)  # and stays so at a smaller one
    assert live.layer.multiscale
    np.testing.assert_allclose(extent(live.layer), moved, atol=1e-9)


def test_what_is_set_on_an_rgb_result_is_kept_when_it_is_replaced(viewer, model):
    live = live_for(viewer, model, photo(model))
    small = iteration(4, 4, (24, 32))
    live.drawn.draw(small)
    live.show(small)
    live.layer.contrast_limits, live.layer.visible = (10, 90), False
    live.layer.affine = [[2, 0, 5], [0, 1, 6], [0, 0, 1]]
    moved = extent(live.layer)
    show(live, 3)
    assert live.layer.multiscale
    assert live.layer.contrast_limits == [10, 90]
    assert not live.layer.visible
    np.testing.assert_allclose(extent(live.layer), moved, atol=1e-9)


def test_data_that_the_user_assigned_is_replaced(viewer, model):
    live = live_for(viewer, model, photo(model))
    show(live)
    live.layer.data = [np.zeros((8, 8, 3), np.uint8)]
    show(live, 2)
    assert [level.shape[:2] for level in live.layer.data] == [(48, 64), (24, 32), (12, 16)]
    assert (live.layer.data[0] == 128).all()
