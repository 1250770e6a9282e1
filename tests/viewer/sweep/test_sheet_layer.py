"""The contact sheet of a sweep: position, filling, and clicks."""

import numpy as np
import pytest

from napari_nst.io.contact_sheet import DARK, Sheet
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Cell, Grid
from napari_nst.viewer.layers.position import move_slider
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.layers.save import save_result
from napari_nst.viewer.sweep.sheet_layer import LONGEST_SHEET, SheetLayer, on_click, settings_at
from tests.helpers.fake_iterations import iteration
from tests.helpers.real_mouse import drag

WEIGHTS, SIZES = (2.0, 8.0), (24, 48, 96)
GRID = Grid(
    tuple(f"style_weight {weight:g}" for weight in WEIGHTS),
    tuple(f"size {size}" for size in SIZES),
    tuple(
        Cell(f"{weight:g} {size}", row, column, "", {"style_weight": weight, "size": size})
        for row, weight in enumerate(WEIGHTS)
        for column, size in enumerate(SIZES)
    ),
)


@pytest.fixture
def viewer(windowless):
    return windowless


def photo(model, **options):
    return model.add_image(np.zeros((48, 64, 3), np.uint8), rgb=True, name="photo", **options)


def step(panel, *, shape=(12, 16), full_shape=(24, 32), level=0.5, **options):
    facts = {"recipe": Recipe().to_dict(), "grid": GRID.to_dict()}
    return iteration(
        panel + 1, 6, shape, level=level, panel=panel, panels=[cell.label for cell in GRID.cells],
        full_shape=full_shape, facts=facts, **options,
    )  # fmt: skip


def live_for(viewer, model, content, **options):
    position = shown_slice(content, model.dims).position
    return SheetLayer(viewer, "sweep", position, **options)


def rectangles(layer):
    return [cell["rectangle"] for cell in layer.metadata["napari-nst"]["layer"]["cells"]]


def shown_in(layer, index):
    top, left, bottom, right = rectangles(layer)[index]
    return np.squeeze(np.asarray(layer.data))[top:bottom, left:right]


def world_of(layer, index):
    """Return the world's box of a cell's outer edges on a flat layer: top, left, bottom, right."""
    top, left, bottom, right = rectangles(layer)[index]
    first = layer.data_to_world((top - 0.5, left - 0.5))
    last = layer.data_to_world((bottom - 0.5, right - 0.5))
    return np.array([*first, *last])


# ── filling ──────────────────────────────────────────────────────────────────────────────────


def test_cells_fill_in_order_with_images_of_any_size(viewer, model):
    live = live_for(viewer, model, photo(model))
    live.show(step(0, shape=(12, 16), level=0.2))
    live.show(step(1, shape=(24, 32), level=0.4, grey=True))
    live.show(step(2, shape=(48, 64), level=0.6, alpha=0.5))
    layer = live.layer
    assert layer.rgb
    assert layer.data.dtype == np.uint8
    assert [shown_in(layer, index)[5, 5, 0] for index in range(3)] == [51, 102, 153]
    empty = Sheet(GRID, (10, 10), DARK).pixels[
        tuple(np.add(Sheet(GRID, (10, 10)).rectangles[0][:2], 5))
    ]
    assert (shown_in(layer, 3) == empty).all()
    assert len(model.layers) == 2
    assert max(layer.data.shape) < 1.3 * LONGEST_SHEET


def test_a_deleted_layer_is_not_made_again(viewer, model):
    live = live_for(viewer, model, photo(model))
    assert not live.removed, "there is no layer before the first image"
    live.show(step(0))
    model.layers.remove("sweep")
    assert live.removed
    live.show(step(1))
    assert len(model.layers) == 1


# ── position ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("scale", "rotate"), [((1, 1), 0), ((2, 3), 30), ((-2, 2), 30)])
def test_it_is_upright_beside_all_layers_with_cells_as_large_as_the_content(
    viewer, model, scale, rotate
):
    content = photo(model, scale=scale, translate=(5, 7), rotate=rotate)
    other = model.add_image(np.zeros((40, 300)), name="other")
    live = live_for(viewer, model, content)
    live.show(step(0))
    top, left, bottom, right = world_of(live.layer, 0)
    assert bottom - top == pytest.approx(48 * abs(scale[0]))
    assert right - left == pytest.approx(64 * abs(scale[1]))
    beside = max(layer.extent.world[1][1] for layer in (content, other))
    edge = live.layer.data_to_world((-0.5, -0.5))
    assert beside < edge[1] < beside + 64 * abs(scale[1]) / 4
    assert edge[0] == pytest.approx(content.extent.world[0][0], abs=3)
    assert live.layer.rotate.tolist() == np.eye(2).tolist()


def test_in_a_stack_it_is_in_the_shown_slice(viewer, model):
    content = model.add_image(
        np.zeros((5, 48, 64), np.uint8), scale=(10, 2, 2), axis_labels=["z", "y", "x"]
    )
    move_slider(content, model.dims, 0, 3)
    live = live_for(viewer, model, content)
    for panel in range(2):
        live.show(step(panel, level=0.2))
        assert live.layer.data.shape[0] == 1
        assert live.layer.data_to_world((0, 0, 0))[0] == 30
    assert live.layer.axis_labels == ("z", "y", "x")
    assert (shown_in(live.layer, 1) == 51).all()


def test_it_has_the_units_of_the_content(viewer, model):
    content = photo(model, scale=(0.5, 0.5), units=("um", "um"))
    model.add_image(np.zeros((4, 4)), scale=(50_000, 50_000), units=("nm", "nm"), name="other")
    live = live_for(viewer, model, content)
    live.show(step(0))
    assert [str(unit) for unit in live.layer.units] == ["micrometer"] * 2
    assert 200 - 50 < live.layer.translate[1] < 200, "beside 150 µm, not 150000"
    assert live.layer.scale[0] * 341 == pytest.approx(24, rel=0.5)


# ── settings and metadata ────────────────────────────────────────────────────────────────────


def test_settings_are_found_at_a_position(viewer, model):
    live = live_for(viewer, model, photo(model, scale=(2, 2), translate=(5, 7)))
    live.show(step(0))
    for index, cell in enumerate(GRID.cells):
        top, left, bottom, right = world_of(live.layer, index)
        for at in [(top + 0.1, left + 0.1), (bottom - 0.1, right - 0.1)]:
            assert settings_at(live.layer, at) == dict(cell.settings)
            assert settings_at(live.layer, (99, *at)) == dict(cell.settings), "in a 3D viewer"
        for at in [(top - 0.1, left), (top, left - 0.1), (bottom + 0.1, right)]:
            assert settings_at(live.layer, at) is None


def test_a_sheet_is_made_after_its_content_was_deleted(viewer, model):
    content = model.add_image(np.zeros((2, 3, 48, 64)), name="stack")
    other = photo(model)
    live = live_for(viewer, model, content)
    model.layers.remove(content)
    live.show(step(0))
    assert live.layer in model.layers
    left = np.min(live.layer.extent.world[:, -1])
    assert left > other.extent.world[1, -1], "beside what is there"


def test_the_record_is_stored_in_the_layer(viewer, model, tmp_path):
    live = live_for(viewer, model, photo(model))
    live.show(step(0))
    live.describe()
    record = live.layer.metadata["napari-nst"]
    assert record["recipe"] == Recipe().to_dict()
    live.describe({"recipe": Recipe(size=64).to_dict(), "grid": GRID.to_dict()})
    assert Recipe.from_layer(live.layer).size == 64
    at = world_of(live.layer, 3)[:2] + 1
    assert settings_at(live.layer, at) == {"style_weight": 8.0, "size": 24}
    save_result(live.layer, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 500


@pytest.mark.window
def test_a_click_returns_the_settings_and_a_drag_does_not(make_napari_viewer_proxy):
    window = make_napari_viewer_proxy()
    content = photo(window, scale=(2, 2), translate=(5, 7))
    live = live_for(window, window, content)
    live.show(step(0))
    got = []
    on_click(live.layer, got.append)
    for index, cell in enumerate(GRID.cells):
        top, left, bottom, right = world_of(live.layer, index)
        middle = ((top + bottom) / 2, (left + right) / 2)
        drag(window, [middle])
        assert got == [dict(cell.settings)]
        got.clear()
    drag(window, [middle, (top, left), (top + 1, left + 1)])
    assert not got
