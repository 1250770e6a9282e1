"""Tiles: their cores cover an image once, and their halos give the network all it needs."""

import pytest
import torch

from napari_nst.engine.tiling.grid import halo_of, make_grid
from napari_nst.engine.vgg.network import PADDINGS, VGG19
from napari_nst.recipe.layer_names import LAYER_NAMES, poolings_before


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("layer", ["relu2_2", "pool4"])
@pytest.mark.parametrize("tile", [16, 50, 1000])
@pytest.mark.parametrize("shape", [(131, 77), (16, 16), (255, 31)])
def test_cores_cover_every_pixel_and_every_position_once(shape, tile, layer, padding):
    cell = 1 << poolings_before(layer)
    pixels = torch.zeros(shape)
    positions = torch.zeros([side // cell for side in shape])
    for one in make_grid(shape, tile, [layer, "relu1_1"], padding):
        pixels[one.window] += 1
        positions[one.positions(layer)] += 1
        assert all(span.start % cell == 0 for span in one.window)
    assert (pixels == 1).all()
    assert (positions == 1).all()


@pytest.mark.parametrize("shape", [(131, 77), (203, 331)])
@pytest.mark.parametrize("tile", [16, 50])
def test_cores_are_of_about_one_size_and_no_larger_than_asked_for(shape, tile):
    for axis in (0, 1):
        spans = [one.window[axis] for one in make_grid(shape, tile, ["relu5_1"], "zeros")]
        lengths = [span.stop - span.start for span in spans]
        # The last core includes the pixels that pooling drops.
        assert max(lengths) <= tile + shape[axis] % 16
        assert max(lengths) - min(lengths) <= 16 + shape[axis] % 16


@pytest.mark.parametrize("tile", [0, 300])
def test_an_image_no_larger_than_a_tile_is_one_tile(tile):
    (only,) = make_grid((256, 256), tile, ["relu5_1"], "circular")
    image = torch.rand(1, 3, 256, 256)
    assert only.cut(image).data_ptr() == image.data_ptr()
    assert only.wrap_around == (None, None)
    assert only.positions_in_extent("relu3_1") == only.positions("relu3_1")


def test_several_processes_get_a_tile_each():
    assert len(make_grid((256, 256), 0, ["relu2_1"], "zeros", at_least=3)) == 3
    assert len(make_grid((256, 256), 128, ["relu2_1"], "zeros", at_least=3)) == 4


@pytest.mark.parametrize(
    ("layer", "halo"), [("conv1_1", 1), ("pool1", 2), ("relu3_1", 10), ("relu5_1", 70)]
)
def test_the_halo_is_that_of_the_receptive_field(layer, halo):
    assert halo_of(layer) == halo


def test_a_position_reads_its_receptive_field_and_nothing_else(untrained):
    network = VGG19(["relu3_1"], untrained, dtype=torch.float64, pooling="average")
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64).requires_grad_()
    network(image)["relu3_1"][0, :, 8, 8].sum().backward()
    (read,) = image.grad[0].abs().sum(dim=(0, 2)).nonzero(as_tuple=True)
    halo = halo_of("relu3_1")
    assert (read.min(), read.max()) == (32 - halo, 32 + 3 + halo)


@pytest.mark.parametrize(
    ("shape", "pooling", "padding"),
    [
        *(((61, 47), "max", padding) for padding in PADDINGS),
        ((75, 24), "max", "circular"),
        ((39, 103), "average", "circular"),
        ((61, 47), "l2", "zeros"),
    ],
)
def test_a_tile_has_the_features_of_the_whole(untrained, random_image, shape, pooling, padding):
    layers = ["conv1_1", "relu2_1", "pool2", "relu3_1"]
    network = VGG19(layers, untrained, pooling, padding, torch.float64)
    image = random_image(*shape, dtype=torch.float64)
    _assert_equal(network, image, make_grid(shape, 16, layers, padding))


def test_deep_features_around_the_border_of_a_periodic_image(untrained, random_image):
    layers = ["relu1_1", "relu4_2", "relu5_1"]
    network = VGG19(layers, untrained, padding="circular", dtype=torch.float64)
    grid = make_grid((197, 32), 16, layers, "circular")
    assert any(tile.wrap_around != (None, None) for tile in grid)
    _assert_equal(network, random_image(197, 32, dtype=torch.float64), [grid[0], grid[-1]])


def _assert_equal(network, image, tiles):
    whole = network(image)
    for tile in tiles:
        parts = network(tile.cut(image), tile.wrap_around)
        for layer in network.layers:
            expected = whole[layer][(..., *tile.positions(layer))]
            found = parts[layer][(..., *tile.positions_in_extent(layer))]
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_adding_is_the_adjoint_of_cutting(padding):
    image = torch.rand(1, 3, 95, 61, dtype=torch.float64)
    for tile in make_grid((95, 61), 16, ["relu3_1"], padding):
        part = tile.cut(image)
        values = torch.rand_like(part)
        added = torch.zeros_like(image)
        tile.add(values, added)
        torch.testing.assert_close((values * part).sum(), (added * image).sum())


def test_every_layer_can_be_the_deepest():
    for layer in LAYER_NAMES:
        assert len(make_grid((256, 256), 64, [layer], "circular")) == 16
