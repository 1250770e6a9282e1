"""Images at the sizes that a run wants them in: covering, cut to the middle, as styles."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.input_image import read_input
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_size import LARGEST_STYLE, style_fit
from napari_nst.recipe import Recipe
from tests.helpers.small_images import CONTENT, with_alpha

CPU = torch.device("cpu")


def ramps(height, width):
    """Return what says where it came from: red is the column, green the row, in pixels."""
    rows, columns = torch.meshgrid(
        torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"
    )
    return MaskedImage(torch.stack([columns, rows, torch.zeros(height, width)])[None])


def slopes(image):
    """Return by how much the ramps rise from pixel to pixel, across and down, away from edges."""
    inside = image[..., 3:-3, 3:-3]
    return inside[:, 0].diff(dim=-1).mean().item(), inside[:, 1].diff(dim=-2).mean().item()


def of_shape(*shape):
    return MaskedImage(torch.zeros(1, 3, *shape))


# An image as it came


def test_an_image_without_alpha_has_no_mask():
    subject = MaskedImage.of(read_input(CONTENT[:20], "content"), CPU)
    assert subject.mask is None
    assert subject.shape == (20, 64)
    np.testing.assert_allclose(subject.image[0].permute(1, 2, 0), CONTENT[:20] / 255, atol=1e-6)


def test_alpha_is_its_mask():
    alpha = np.zeros((64, 64), bool)
    alpha[10:30, 20:50] = True
    subject = MaskedImage.of(read_input(with_alpha(CONTENT, alpha), "content"), CPU)
    np.testing.assert_array_equal(subject.mask[0, 0], alpha)
    assert subject.mask.dtype == torch.float32


def test_hidden_pixels_are_painted_over_with_the_mean_of_the_visible_ones():
    """So that neither resampling nor a convolution brings in what cannot be seen."""
    alpha = np.zeros((64, 64), bool)
    alpha[10:30, 20:50] = True
    image = np.where(alpha[..., None], CONTENT, 255).astype(np.uint8)
    subject = MaskedImage.of(read_input(with_alpha(image, alpha), "content"), CPU)
    found = subject.image[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found[alpha], image[alpha] / 255, atol=1e-6)
    mean = np.broadcast_to(image[alpha].mean(axis=0) / 255, found[~alpha].shape)
    np.testing.assert_allclose(found[~alpha], mean, atol=1e-5)


def test_a_mask_is_resized_with_its_image_and_stays_in_range():
    mask = torch.zeros(1, 1, 40, 60)
    mask[..., 10:30, 20:50] = 1
    for shape in ((20, 30), (80, 120), (13, 21)):
        resized = MaskedImage(torch.zeros(1, 3, 40, 60), mask).resized(shape)
        assert resized.image.shape[2:] == resized.mask.shape[2:] == shape
        assert 0 <= resized.mask.min() <= resized.mask.max() <= 1 + 1e-6
        assert resized.mask.mean().item() == pytest.approx(mask.mean().item(), abs=0.02)


# Its middle


@pytest.mark.parametrize(
    ("shape", "expected", "corner"),
    [
        ((10, 20), (10, 20), (15, 20)),
        ((11, 21), (11, 21), (14, 19)),
        ((100, 20), (40, 20), (0, 20)),  # never more than there is
        ((40, 60), (40, 60), (0, 0)),
        ((1, 1), (1, 1), (19, 29)),
    ],
)
def test_the_middle_is_cut_out(shape, expected, corner):
    middle = ramps(40, 60).middle(shape)
    assert middle.shape == expected
    assert middle.image[0, 0, 0, 0] == corner[1] + 0.5
    assert middle.image[0, 1, 0, 0] == corner[0] + 0.5


def test_the_middle_of_a_mask_is_that_of_its_image(random_image):
    mask = random_image(40, 60)[:, :1]
    middle = MaskedImage(mask.expand(-1, 3, -1, -1), mask).middle((13, 17))
    assert torch.equal(middle.mask, middle.image[:, :1])


# Covering a shape


COVERED = [
    ((40, 60), (40, 60)),
    ((40, 60), (60, 40)),
    ((40, 60), (100, 100)),
    ((200, 60), (33, 77)),
    ((37, 53), (64, 48)),
    ((33, 400), (40, 40)),
    ((400, 33), (31, 90)),
]


@pytest.mark.parametrize(("shape", "wanted"), COVERED)
def test_covering_fills_the_shape_and_squashes_nothing(shape, wanted):
    covering = ramps(*shape).covering(wanted)
    assert covering.shape == wanted
    across, down = slopes(covering.image)
    assert across == pytest.approx(down, rel=0.05)
    factor = max(wanted[0] / shape[0], wanted[1] / shape[1])
    assert across == pytest.approx(1 / factor, rel=0.05)  # and takes no less than it must
    middle = covering.image[0, :2].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([shape[1] / 2, shape[0] / 2]), atol=1, rtol=0)


@pytest.mark.parametrize(("shape", "wanted"), COVERED[1:5])
def test_a_circle_stays_a_circle(shape, wanted):
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    radius = 0.35 * min(shape)
    inside = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2) < radius
    circle = torch.from_numpy(inside).float()[None, None]
    covering = MaskedImage(circle.expand(-1, 3, -1, -1), circle).covering(wanted)
    diameter = 2 * radius * max(wanted[0] / shape[0], wanted[1] / shape[1])
    for covered in (covering.image[0, 0], covering.mask[0, 0]):
        height, width = ((covered > 0.5).any(dim=dim).sum().item() for dim in (1, 0))
        assert height == pytest.approx(min(diameter, wanted[0]), abs=2)
        assert width == pytest.approx(min(diameter, wanted[1]), abs=2)


@pytest.mark.parametrize(("shape", "wanted"), [((400, 533), (75, 100)), ((33, 4000), (16, 1940))])
def test_an_image_of_the_same_aspect_is_covered_whole(shape, wanted):
    """What rounding leaves of another aspect cuts nothing off."""
    covering = ramps(*shape).covering(wanted).image
    assert covering[0, 0, 0, 0] < shape[1] / wanted[1]
    assert covering[0, 0, 0, -1] > shape[1] - shape[1] / wanted[1]
    assert covering[0, 1, 0, 0] < shape[0] / wanted[0]


# A style that fits


def fitted(shape, longest, least=16, **fields):
    scale = Scale(longest, (longest, longest), 1)
    return of_shape(*shape).fitted(style_fit(shape, scale, Recipe(**fields), least, None)).shape


@pytest.mark.parametrize(
    ("shape", "longest", "least", "expected"),
    [
        ((400, 200), 100, 16, (100, 50)),
        ((40, 20), 100, 16, (40, 20)),  # never enlarged
        ((2000, 40), 100, 16, (800, 16)),  # wide enough for the network
        ((2000, 16), 100, 16, (2000, 16)),
        ((17, 33), 16, 16, (16, 31)),
        ((64, 64), 64, 16, (64, 64)),
    ],
)
def test_styles_are_fitted_to_the_working_size(shape, longest, least, expected):
    assert fitted(shape, longest, least) == expected


@pytest.mark.parametrize("least", [1, 16, 32])
@pytest.mark.parametrize("narrow", [32, 33, 47, 100])
def test_a_fitted_style_is_large_enough_for_the_network(narrow, least):
    for length in range(narrow, 1200, 37):
        for longest in (32, 45, 128):
            height, width = fitted((narrow, length), longest, least)
            assert least <= height <= narrow
            assert least <= width <= length
            assert width / height == pytest.approx(length / narrow, rel=0.6 / height)


@pytest.mark.parametrize(
    ("shape", "longest", "style_scale", "expected"),
    [
        ((400, 200), 100, 2.0, (200, 100)),
        ((400, 200), 100, 0.5, (50, 25)),
        ((80, 40), 100, 2.0, (160, 80)),  # enlarged because that was asked for
        ((120, 60), 100, 2.0, (200, 100)),
        ((400, 200), 100, 0.05, (32, 16)),  # wide enough for the network
    ],
)
def test_style_scale_enlarges_the_strokes(shape, longest, style_scale, expected):
    assert fitted(shape, longest, style_scale=style_scale) == expected


# A style in physical units


def physical(style, content, own_pixel, longest=None, style_scale=1.0, least=16):
    """Return a style's shape; `own_pixel` is its pixel's size over the content's."""
    longest = longest or max(content)
    factor = longest / max(content)
    scale = Scale(longest, tuple(round(side * factor) for side in content), 1)
    recipe = Recipe(style_sizing="physical", style_scale=style_scale)
    return ramps(*style).fitted(style_fit(style, scale, recipe, least, own_pixel * factor))


@pytest.mark.parametrize(
    ("style", "content", "own_pixel", "options", "expected"),
    [
        # A style of 0.5 µm pixels on a content of 1 µm pixels: half as many of them.
        ((200, 100), (300, 300), 0.5, {}, (100, 50)),
        # A content worked at a quarter of its size has pixels of 4 µm.
        ((400, 300), (400, 400), 1.0, {"longest": 100}, (100, 75)),
        # Smaller pixels in the content than in the style: the style is enlarged.
        ((50, 40), (200, 200), 3.0, {}, (150, 120)),
        ((200, 100), (300, 300), 0.5, {"style_scale": 2.0}, (200, 100)),
        ((200, 100), (300, 300), 0.05, {}, (32, 16)),  # wide enough for the network
        # It does not matter how the content's sides compare to the style's.
        ((60, 90), (1000, 50), 1.0, {}, (60, 90)),
    ],
)
def test_one_micrometre_is_one_micrometre(style, content, own_pixel, options, expected):
    assert physical(style, content, own_pixel, **options).shape == expected


def test_of_a_style_much_larger_than_the_picture_the_middle_is_taken():
    subject = physical((800, 1200), (100, 100), 1.0)
    assert subject.shape == (200, 200)  # twice as long as the picture
    assert LARGEST_STYLE == 2
    assert slopes(subject.image) == pytest.approx((1, 1), rel=1e-3)  # at its own size
    middle = subject.image[0, :2].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([600.0, 400.0]), atol=1, rtol=0)


def test_the_middle_of_an_enlarged_style_keeps_its_size_too():
    subject = physical((300, 500), (100, 100), 3.0)
    assert max(subject.shape) == 201  # whole pixels of the style, three each
    assert slopes(subject.image) == pytest.approx((1 / 3, 1 / 3), rel=0.01)


def test_a_long_thin_style_is_cut_along_its_length():
    subject = physical((40, 2000), (100, 80), 1.0)
    assert subject.shape == (40, 200)
    assert slopes(subject.image) == pytest.approx((1, 1), rel=1e-3)
