"""Tiles: their cores cover an image once, and their reaches show the network all it needs."""

import pytest
import torch

from napari_nst.engine.tiling.grid import Grid
from napari_nst.engine.tiling.spans import receptive_field
from napari_nst.engine.vgg.network import PADDINGS, VGG19
from napari_nst.recipe.layer_names import LAYER_NAMES, poolings_before

SHAPES = [(64, 96), (131, 77), (203, 331), (17, 512), (16, 16), (255, 31)]


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("layer", ["relu1_1", "relu2_2", "relu5_1", "pool4"])
@pytest.mark.parametrize("tile", [16, 50, 128, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_cores_cover_every_pixel_and_every_position_once(shape, tile, layer, padding):
    grid = Grid.of(shape, tile, [layer, "relu1_1"], padding)
    cell = 1 << poolings_before(layer)
    counted = torch.zeros(shape)
    positions = torch.zeros([side // cell for side in shape])
    for one in grid:
        counted[one.window] += 1
        positions[one.positions(layer)] += 1
        assert all(span.start % cell == 0 for span in one.window)
    assert (counted == 1).all()
    assert (positions == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tile", [16, 50, 128])
def test_cores_are_of_about_one_size_none_larger_than_asked_for(shape, tile):
    for axis in (0, 1):
        spans = [one.window[axis] for one in Grid.of(shape, tile, ["relu5_1"], "zeros")]
        lengths = [span.stop - span.start for span in spans]
        # The last one has the few pixels that make no position of the deepest layer.
        assert max(lengths) <= tile + shape[axis] % 16
        assert max(lengths) - min(lengths) <= 16 + shape[axis] % 16


@pytest.mark.parametrize("tile", [0, 256, 300])
@pytest.mark.parametrize("padding", PADDINGS)
def test_an_image_no_larger_than_a_tile_is_one(tile, padding):
    (only,) = Grid.of((256, 256), tile, ["relu5_1"], padding)
    image = torch.rand(1, 3, 256, 256)
    assert only.cut(image).data_ptr() == image.data_ptr()
    assert only.cut(image).shape == image.shape
    assert only.joins == (None, None)
    assert only.within_reach("relu3_1") == only.positions("relu3_1")


def test_a_tile_smaller_than_a_position_of_the_deepest_layer_is_as_large():
    assert len(Grid.of((64, 64), 1, ["relu5_1"], "zeros")) == 16


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        ("conv1_1", 1),
        ("relu1_2", 2),
        ("pool1", 2),
        ("relu2_1", 4),
        ("relu3_1", 10),
        ("relu5_1", 70),
    ],
)
def test_the_receptive_field_beyond_what_is_pooled(layer, field):
    assert receptive_field(layer) == field


@pytest.mark.parametrize("layer", ["relu2_2", "pool2", "relu3_1"])
def test_a_position_sees_as_far_as_its_receptive_field_and_no_farther(untrained, layer):
    network = VGG19([layer], untrained, dtype=torch.float64, pooling="average")
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64).requires_grad_()
    side = 1 << poolings_before(layer)
    network(image)[layer][0, :, 32 // side, 32 // side].sum().backward()
    (seen,) = image.grad[0].abs().sum(dim=(0, 2)).nonzero(as_tuple=True)
    field = receptive_field(layer)
    assert (seen.min(), seen.max()) == (32 - field, 32 + side - 1 + field)


@pytest.mark.parametrize(
    ("pooling", "padding"),
    [*(("max", padding) for padding in PADDINGS), ("average", "circular"), ("l2", "circular")],
)
@pytest.mark.parametrize("shape", [(64, 48), (61, 47), (75, 24), (39, 103)])
def test_a_tile_has_the_features_of_the_whole(untrained, random_image, shape, pooling, padding):
    layers = ["conv1_1", "relu2_1", "pool2", "relu3_1"]
    network = VGG19(layers, untrained, pooling, padding, torch.float64)
    image = random_image(*shape, dtype=torch.float64)
    _assert_alike(network, image, Grid.of(shape, 16, layers, padding))


@pytest.mark.parametrize("shape", [(197, 32), (46, 207)])
def test_deep_features_around_the_border_of_a_periodic_image(untrained, random_image, shape):
    layers = ["relu1_1", "relu4_2", "relu5_1"]
    network = VGG19(layers, untrained, padding="circular", dtype=torch.float64)
    grid = Grid.of(shape, 16, layers, "circular")
    assert any(tile.joins != (None, None) for tile in grid)
    some = Grid((grid.tiles[0], grid.tiles[-1]), grid.bands)
    _assert_alike(network, random_image(*shape, dtype=torch.float64), some)


def _assert_alike(network, image, grid):
    whole = network(image)
    for tile in grid:
        parts = network(tile.cut(image), tile.joins)
        for layer in network.layers:
            expected = whole[layer][(..., *tile.positions(layer))]
            found = parts[layer][(..., *tile.within_reach(layer))]
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(95, 61), (160, 48)])
@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_adding_is_the_adjoint_of_cutting(shape, padding):
    image = torch.rand(1, 3, *shape, dtype=torch.float64)
    for tile in Grid.of(shape, 16, ["relu3_1"], padding):
        part = tile.cut(image)
        values = torch.rand_like(part)
        added = torch.zeros_like(image)
        tile.add(values, added)
        torch.testing.assert_close((values * part).sum(), (added * image).sum())


def test_every_layer_can_be_the_deepest():
    for layer in LAYER_NAMES:
        assert len(Grid.of((256, 256), 64, [layer], "circular")) == 16
