"""Images with masks: from input, resized, cropped, covering a shape, and as styles."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.masked_image import Composite, MaskedImage
from napari_nst.engine.job.guides import KeepOutside
from napari_nst.engine.job.input_image import read_input
from napari_nst.engine.job.schedule import LARGEST_STYLE, Scale, style_fit
from napari_nst.recipe import Recipe
from tests.helpers.small_images import CONTENT, with_alpha

CPU = torch.device("cpu")


def ramps(height, width):
    """An image whose red is the column and whose green is the row, in pixels."""
    rows, columns = torch.meshgrid(
        torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"
    )
    return MaskedImage(torch.stack([columns, rows, torch.zeros(height, width)])[None])


def steps(image):
    """The mean difference of neighbouring pixels of ramps, across and down, inside."""
    inside = image[..., 3:-3, 3:-3]
    return inside[:, 0].diff(dim=-1).mean().item(), inside[:, 1].diff(dim=-2).mean().item()


def test_alpha_is_the_mask_and_hidden_pixels_get_the_mean_visible_colour():
    alpha = np.zeros((64, 64), bool)
    alpha[10:30, 20:50] = True
    image = np.where(alpha[..., None], CONTENT, 255).astype(np.uint8)
    masked = MaskedImage.of(read_input(with_alpha(image, alpha), "content"), CPU)
    assert masked.mask.dtype == torch.float32
    np.testing.assert_array_equal(masked.mask[0, 0], alpha)
    found = masked.image[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found[alpha], image[alpha] / 255, atol=1e-6)
    mean = np.broadcast_to(image[alpha].mean(axis=0) / 255, found[~alpha].shape)
    np.testing.assert_allclose(found[~alpha], mean, atol=1e-5)
    opaque = MaskedImage.of(read_input(CONTENT[:20], "content"), CPU)
    assert (opaque.mask, opaque.shape) == (None, (20, 64))


def test_a_mask_is_resized_with_its_image_and_stays_in_range():
    mask = torch.zeros(1, 1, 40, 60)
    mask[..., 10:30, 20:50] = 1
    for shape in ((80, 120), (13, 21)):
        resized = MaskedImage(torch.zeros(1, 3, 40, 60), mask).resized(shape)
        assert resized.image.shape[2:] == resized.mask.shape[2:] == shape
        assert 0 <= resized.mask.min() <= resized.mask.max() <= 1 + 1e-6
        assert resized.mask.mean().item() == pytest.approx(mask.mean().item(), abs=0.02)


@pytest.mark.parametrize(
    ("shape", "wanted"), [((40, 60), (60, 40)), ((200, 60), (33, 77)), ((37, 53), (64, 48))]
)
def test_covering_fills_the_shape_without_distortion(shape, wanted):
    image = ramps(*shape).image
    covering = MaskedImage(image, image[:, :1]).covering(wanted)
    assert covering.image.shape[2:] == covering.mask.shape[2:] == wanted
    across, down = steps(covering.image)
    assert across == pytest.approx(down, rel=0.05)
    factor = max(wanted[0] / shape[0], wanted[1] / shape[1])
    assert across == pytest.approx(1 / factor, rel=0.05)  # no more is cropped than necessary
    middle = covering.image[0, :2].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([shape[1] / 2, shape[0] / 2]), atol=1, rtol=0)


def fitted(shape, longest, least=16, **fields):
    scale = Scale(longest, (longest, longest), 1)
    return ramps(*shape).fitted(style_fit(shape, scale, Recipe(**fields), least, None)).shape


@pytest.mark.parametrize(
    ("shape", "longest", "style_scale", "expected"),
    [
        ((400, 200), 100, 1.0, (100, 50)),
        ((40, 20), 100, 1.0, (40, 20)),  # not enlarged
        ((2000, 40), 100, 1.0, (800, 16)),  # wide enough for the network
        ((17, 33), 16, 1.0, (16, 31)),
        ((80, 40), 100, 2.0, (160, 80)),  # enlarged, because style_scale asks for it
        ((400, 200), 100, 0.05, (32, 16)),
    ],
)
def test_styles_are_fitted_to_the_size_of_the_run(shape, longest, style_scale, expected):
    assert fitted(shape, longest, style_scale=style_scale) == expected


def physical(style, content, own_pixel, longest=None, style_scale=1.0):
    """A style, fitted; `own_pixel` is its pixel size divided by the content's."""
    longest = longest or max(content)
    factor = longest / max(content)
    scale = Scale(longest, tuple(round(side * factor) for side in content), 1)
    recipe = Recipe(style_sizing="physical", style_scale=style_scale)
    return ramps(*style).fitted(style_fit(style, scale, recipe, 16, own_pixel * factor))


@pytest.mark.parametrize(
    ("style", "content", "own_pixel", "options", "expected"),
    [
        # A style with pixels of 0.5 µm for a content with pixels of 1 µm.
        ((200, 100), (300, 300), 0.5, {}, (100, 50)),
        # At a quarter of its size the content has pixels of 4 µm.
        ((400, 300), (400, 400), 1.0, {"longest": 100}, (100, 75)),
        # The style has larger pixels than the content, and is enlarged.
        ((50, 40), (200, 200), 3.0, {}, (150, 120)),
        ((200, 100), (300, 300), 0.05, {}, (32, 16)),  # wide enough for the network
        # The middle of a style that would be much larger than the picture.
        ((800, 1200), (100, 100), 1.0, {}, (200, 200)),
        ((40, 2000), (100, 80), 1.0, {}, (40, 200)),
    ],
)
def test_styles_have_the_contents_pixel_size(style, content, own_pixel, options, expected):
    found = physical(style, content, own_pixel, **options)
    assert LARGEST_STYLE == 2
    assert found.shape == expected
    if own_pixel == 1 and not options:
        assert steps(found.image) == pytest.approx((1, 1), rel=1e-3)
        middle = found.image[0, :2].mean(dim=(1, 2))
        expected = torch.tensor([style[1] / 2, style[0] / 2])
        torch.testing.assert_close(middle, expected, atol=1, rtol=0)


def test_the_middle_of_an_enlarged_style_keeps_its_pixel_size():
    found = physical((300, 500), (100, 100), 3.0)
    assert max(found.shape) == 201  # whole pixels of the style, three each
    assert steps(found.image) == pytest.approx((1 / 3, 1 / 3), rel=0.01)


def test_a_composite_keeps_pixels_and_averages_fixed_ones_without_free_ones():
    free = np.zeros((64, 64), bool)
    free[10:21, 20:30] = True
    window = (slice(8, 24), slice(16, 32))
    composite = Composite(KeepOutside(read_input(CONTENT, "content"), free, window), CPU)
    picture = composite.picture
    image = picture[composite.window].clone()
    image[..., composite.free[0, 0]] = 9.0  # must not reach any fixed pixel
    mask, fixed = composite.at(image, (8, 8))
    assert mask.shape == (1, 1, 8, 8)
    assert mask[0, 0, 2, 3]
    assert not mask[0, 0, 0, 0]
    assert fixed[~mask.expand(-1, 3, -1, -1)].max() <= 1
    whole = composite.around(torch.zeros(1, 3, 8, 8))
    assert (whole[0][:, free] == 0).all()
    assert torch.equal(whole[0][:, ~free], picture[0][:, ~free])
