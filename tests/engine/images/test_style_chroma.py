"""The colours of a finished result: OKLab, the map of the chroma, and what it leaves alone."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.images.style_chroma import from_oklab, oklab, with_style_chroma

# CSS Color 4 gives these coordinates: red, lime, blue, white, and a dark grey below the toe.
COLOURS = {
    (1, 0, 0): (0.62796, 0.22486, 0.12585),
    (0, 1, 0): (0.86644, -0.23389, 0.17950),
    (0, 0, 1): (0.45201, -0.03246, -0.31153),
    (1, 1, 1): (1, 0, 0),
    (0.02, 0.02, 0.02): ((0.02 / 12.92) ** (1 / 3), 0, 0),
}


def image_of(pixels, shape=(1, -1)):
    return torch.tensor(pixels, dtype=torch.float32).T.reshape(1, 3, *shape)


def chroma_of(image):
    return oklab(image)[0, 1:].flatten(1)


@pytest.fixture
def muted(random_image):
    """Colours that stay displayable under another lightness: a smooth image near grey."""

    def image(seed, tint, spread=0.06):
        fine = random_image(8, 8, seed)
        smooth = torch.nn.functional.interpolate(fine, (48, 64), mode="bicubic")
        return (0.5 + spread * (smooth - 0.5) * 4 + torch.tensor(tint).view(1, 3, 1, 1)).clamp(0, 1)

    return image


def test_oklab_has_the_published_coordinates_and_comes_back():
    image = image_of(list(COLOURS))
    expected = image_of(list(COLOURS.values()))
    torch.testing.assert_close(oklab(image), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(from_oklab(oklab(image)), image, atol=2e-4, rtol=0)


def test_the_lightness_stays_and_the_chroma_gets_the_styles_moments(muted):
    image, content = muted(0, (0, 0, 0), 0.02), muted(1, (0.1, 0, 0), 0.12)
    style = muted(2, (-0.1, 0, 0.1), 0.08)
    found = with_style_chroma(image, MaskedImage(content), [MaskedImage(style)], [1.0])
    torch.testing.assert_close(oklab(found)[:, :1], oklab(image)[:, :1], atol=1e-3, rtol=0)
    own, wanted = chroma_of(found), chroma_of(style)
    torch.testing.assert_close(own.mean(dim=1), wanted.mean(dim=1), atol=2e-3, rtol=0)
    # Smoothing and limits take a little of the spread.
    ratio = own.var(dim=1) / wanted.var(dim=1)
    assert ratio.min() > 0.6
    assert ratio.max() < 1.05
    # The pattern is the content's.
    for mine, its in zip(own, chroma_of(content), strict=True):
        assert abs(np.corrcoef(mine, its)[0, 1]) > 0.5


def test_several_styles_are_mixed_by_their_shares(muted):
    image, content = muted(0, (0, 0, 0)), MaskedImage(muted(1, (0, 0, 0)))
    styles = [muted(2, (0.1, 0, -0.1)), muted(3, (-0.1, 0, 0.1))]
    means = torch.stack([chroma_of(style).mean(dim=1) for style in styles])
    masked = [MaskedImage(style) for style in styles]
    found = with_style_chroma(image, content, masked, [0.75, 0.25])
    expected = 0.75 * means[0] + 0.25 * means[1]
    torch.testing.assert_close(chroma_of(found).mean(dim=1), expected, atol=4e-3, rtol=0)


def test_masks_leave_pixels_out(muted):
    image, content, style = (muted(seed, (0.05 * seed, 0, 0)) for seed in range(3))
    mask = torch.ones(1, 1, 48, 64)
    mask[..., :20] = 0
    loud = [
        torch.where(mask > 0, one, torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
        for one in (content, style)
    ]
    found = with_style_chroma(
        image, MaskedImage(loud[0], mask), [MaskedImage(loud[1], mask)], [1.0]
    )
    rest = with_style_chroma(
        image[..., 20:], MaskedImage(content[..., 20:]), [MaskedImage(style[..., 20:])], [1.0]
    )
    # Away from the border of the mask, which smoothing crosses.
    torch.testing.assert_close(found[..., 26:], rest[..., 6:], atol=1e-4, rtol=0)


def test_a_style_without_chroma_leaves_none_and_a_grey_content_gets_one_tint(muted):
    image, content, style = muted(0, (0, 0, 0)), muted(1, (0.1, 0, 0)), muted(2, (-0.1, 0, 0.1))
    grey = style.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    found = with_style_chroma(image, MaskedImage(content), [MaskedImage(grey)], [1.0])
    assert chroma_of(found).abs().max() < 2e-3
    found = with_style_chroma(image, MaskedImage(grey), [MaskedImage(style)], [1.0])
    tint = chroma_of(style).mean(dim=1, keepdim=True).expand(-1, 48 * 64)
    torch.testing.assert_close(chroma_of(found), tint, atol=2e-3, rtol=0)


def test_chroma_is_smoothed_within_areas_of_one_lightness_and_not_across_edges():
    """Half of the content is noisy in chroma alone; the image has one edge in lightness."""
    generator = torch.Generator().manual_seed(0)
    content = torch.cat([torch.full((1, 1, 40, 40), 0.6), torch.zeros(1, 2, 40, 40)], dim=1)
    content[:, 1:] += 0.02 * torch.randn(1, 2, 40, 40, generator=generator)
    content[:, 1, :, 20:] += 0.08
    content = from_oklab(content)
    image = torch.full((1, 3, 40, 40), 0.1)
    image[..., 20:] = 0.9
    style = MaskedImage(content)
    found = oklab(with_style_chroma(image, MaskedImage(content), [style], [1.0]))[0, 1]
    before = oklab(content)[0, 1]
    assert found[:, 24:].std() < 0.4 * before[:, 24:].std()
    step = before[:, 20:].mean() - before[:, :20].mean()
    assert found[:, 20].mean() - found[:, 19].mean() > 0.7 * step
    flat = oklab(
        with_style_chroma(torch.full_like(image, 0.6), MaskedImage(content), [style], [1.0])
    )[0, 1]
    assert flat[:, 20].mean() - flat[:, 19].mean() < 0.5 * step
