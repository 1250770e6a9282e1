"""Labels and Shapes layers as label maps of an image."""

import dask.array
import numpy as np
import pytest
from skimage.draw import polygon2mask

from napari_nst.viewer.guides.rasterize import (
    guide_of,
    polygon_mask,
)
from napari_nst.viewer.layers.read import shown_slice


def read(model, guide, image, shape=None):
    position = shown_slice(image, model.dims).position
    return guide_of(guide, position, model.dims)(shape or position.shape)


def regions(shape=(12, 16), labels=6):
    return np.random.default_rng(0).integers(0, labels, shape)


def square(top, left, side, *before):
    corners = np.array([[0, 0], [0, side], [side, side], [side, 0]]) + np.array([top, left])
    return np.concatenate([np.tile(before, (4, 1)), corners], axis=1)


# ── labels ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_labels_on_the_same_pixels_are_copied(model, dtype):
    image, labels = model.add_image(np.zeros((12, 16))), regions().astype(dtype)
    found = read(model, model.add_labels(labels), image)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("shape", [(6, 8), (5, 9), (48, 64)])
def test_an_image_of_another_size_takes_the_labels_at_its_pixel_centres(model, shape):
    labels = regions()
    image = model.add_image(np.zeros((12, 16)), scale=(2, 3), translate=(5, 7))
    guide = model.add_labels(labels, scale=(2, 3), translate=(5, 7))
    rows, columns = (
        ((np.arange(n) + 0.5) * all_ / n).astype(int)
        for n, all_ in zip(shape, labels.shape, strict=True)
    )
    np.testing.assert_array_equal(read(model, guide, image, shape), labels[np.ix_(rows, columns)])


def test_a_transformed_guide_is_read_as_napari_displays_it(model):
    image = model.add_image(
        np.zeros((20, 24)), scale=(2, 3), translate=(5, -7), rotate=20, shear=[0.2]
    )
    guide = model.add_labels(
        regions((30, 50)), scale=(1.5, 1.1), translate=(-9, 4), rotate=-35,
        affine=[[1.1, 0.1, 3], [0, 0.9, -2], [0, 0, 1]],
    )  # fmt: skip
    found = read(model, guide, image)
    for y, x in np.ndindex(20, 24):
        value = guide.get_value(image.data_to_world((y, x)), world=True)
        assert found[y, x] == (value or 0)
    assert (found == 0).sum() > (guide.data == 0).mean() * found.size


def test_guide_and_image_may_have_different_units(model):
    labels = regions()
    image = model.add_image(np.zeros((12, 16)), scale=(2, 2), units=["um", "um"])
    guide = model.add_labels(labels, scale=(2000, 2000), units=["nm", "nm"])
    np.testing.assert_array_equal(read(model, guide, image), labels)
    shape = model.add_shapes([square(1500, 1500, 4000)], units=["nm", "nm"])
    expected = np.zeros((12, 16))
    expected[1:3, 1:3] = 1
    np.testing.assert_array_equal(read(model, shape, image), expected)


def test_the_shown_slice_and_the_order_of_axes_are_used(model):
    stack = regions((5, 12, 16))
    image, guide = model.add_image(np.zeros((5, 12, 16))), model.add_labels(stack)
    model.dims.order = (1, 2, 0)
    model.dims.set_point(1, 4)
    np.testing.assert_array_equal(read(model, guide, image), stack[:, 4].T)


def test_later_edits_and_slider_moves_do_not_change_a_guide(model):
    stack = regions((5, 12, 16))
    image, guide = model.add_image(np.zeros((5, 12, 16))), model.add_labels(stack.copy())
    model.dims.set_point(0, 1)
    position, dims = shown_slice(image, model.dims).position, model.dims.model_copy(deep=True)
    model.dims.set_point(0, 4)
    picked = guide_of(guide, position, dims)
    guide.data[:] = 5
    np.testing.assert_array_equal(picked((12, 16)), stack[1])


def test_lazy_and_multiscale_labels_are_read(model):
    labels, image = regions(), model.add_image(np.zeros((12, 16)))
    for data in (dask.array.from_array(labels), [labels, labels[::2, ::2]]):
        np.testing.assert_array_equal(read(model, model.add_labels(data), image), labels)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────


def test_shapes_are_numbered_from_one_and_later_ones_are_on_top(model):
    image = model.add_image(np.zeros((12, 16)))
    guide = model.add_shapes([square(0.5, 0.5, 6), square(3.5, 3.5, 5)])
    expected = np.zeros((12, 16))
    expected[1:7, 1:7] = 1
    expected[4:9, 4:9] = 2
    np.testing.assert_array_equal(read(model, guide, image), expected)
    guide.selected_data = {0}
    guide.move_to_front()
    expected[1:7, 1:7] = 1
    np.testing.assert_array_equal(read(model, guide, image), expected)


def test_labels_come_from_the_features(model):
    image = model.add_image(np.zeros((12, 16)))
    guide = model.add_shapes(
        [square(0.5, 0.5, 3), square(5.5, 5.5, 3), square(0.5, 9.5, 3)],
        features={"label": [7, 2.0, 7]},
    )
    found = read(model, guide, image)
    assert (found[2, 2], found[7, 7], found[2, 11]) == (7, 2, 7)


@pytest.mark.parametrize("label", [1.5, np.inf, "sky", None])
def test_a_label_that_is_no_integer_is_refused(model, label):
    image = model.add_image(np.zeros((12, 16)))
    guide = model.add_shapes(
        [square(1, 1, 3), square(5, 5, 3)], features={"label": [1, label]}, name="parts"
    )
    with pytest.raises(ValueError, match=r"'parts' .* shape 2"):
        read(model, guide, image)


def test_every_type_of_shape_is_drawn(model):
    image = model.add_image(np.zeros((40, 60)))
    kinds = {
        "rectangle": [[5.5, 5.5], [5.5, 15.5], [15.5, 15.5], [15.5, 5.5]],
        "ellipse": [[5.5, 25.5], [5.5, 45.5], [15.5, 45.5], [15.5, 25.5]],
        "polygon": [[24.5, 5.5], [34.5, 5.5], [34.5, 15.5]],
        "line": [[30, 30], [30, 49]],
        "path": [[37, 30], [37, 40], [33, 40]],
    }
    guide = model.add_shapes(
        list(map(np.array, kinds.values())), shape_type=list(kinds), edge_width=[1, 1, 1, 5, 0.01]
    )
    areas = np.bincount(read(model, guide, image).ravel())[1:]
    assert areas[0] == 100
    assert areas[1] == pytest.approx(np.pi * 50, rel=0.05)
    assert areas[2] == pytest.approx(50, abs=6)
    assert areas[3] == pytest.approx(20 * 5 + np.pi * 4, abs=12)
    assert areas[4] == 15  # at least a pixel wide, and without gaps


def test_shapes_follow_their_transform(model):
    image = model.add_image(np.zeros((40, 40)), scale=(2, 2))
    guide = model.add_shapes([square(-4, -4, 8)], scale=(3, 3), rotate=45, translate=(40, 40))
    found = read(model, guide, image)
    area = (8 * 3 / 2) ** 2
    assert found.sum() == pytest.approx(area, rel=0.05)
    np.testing.assert_allclose(np.argwhere(found).mean(0), [20, 20], atol=0.3)
    reach = np.ptp(np.argwhere(found), axis=0) + 1
    np.testing.assert_allclose(reach, np.sqrt(2 * area), atol=1.5)  # it stands on a corner
    smaller = read(model, guide, image, (20, 20))
    assert smaller.sum() == pytest.approx(area / 4, rel=0.1)


def test_only_shapes_in_the_shown_slice_are_drawn(model):
    image = model.add_image(np.zeros((5, 12, 16)))
    guide = model.add_shapes([square(1, 1, 4, 2), square(4, 4, 4, 3)])
    model.dims.set_point(0, 3)
    assert set(np.unique(read(model, guide, image))) == {0, 2}


# ── errors ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["no label", "beside", "no shape", "other slice"])
def test_an_empty_guide_is_refused_when_it_is_read(model, kind):
    image = model.add_image(np.zeros((5, 12, 16)))
    guide = {
        "no label": lambda: model.add_labels(np.zeros((12, 16), int), name="parts"),
        "beside": lambda: model.add_labels(np.ones((4, 4), int), translate=(50, 50), name="parts"),
        "no shape": lambda: model.add_shapes(ndim=2, name="parts"),
        "other slice": lambda: model.add_shapes([square(1, 1, 4, 0)], name="parts"),
    }[kind]()
    with pytest.raises(ValueError, match="Layer 'parts' has no label"):
        read(model, guide, image)


def test_other_kinds_of_layers_are_refused(model):
    image = model.add_image(np.zeros((12, 16)), name="cells")
    with pytest.raises(TypeError, match="Layer 'cells'"):
        read(model, image, image)


# ── outlines ─────────────────────────────────────────────────────────────────────────────────


def test_any_polygon_is_filled_as_scikit_image_fills_it():
    random = np.random.default_rng(0)
    for corners in (3, 4, 9, 40):
        vertices = random.uniform(-15, 65, (corners, 2))  # crosses itself, and the image's edges
        expected = polygon2mask((40, 50), vertices)
        np.testing.assert_array_equal(polygon_mask(vertices, (40, 50)), expected)
