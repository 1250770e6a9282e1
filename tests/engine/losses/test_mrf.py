"""The loss of most similar patches against NumPy in float64."""

import numpy as np
import pytest
import torch

from napari_nst.engine.losses import Exemplar, PatchLoss, mrf
from tests.helpers.loss_features import box_mask, features, mean_square


def cut(tensor, size, stride, mask=None):
    """All patches that count, and their windows."""
    image = tensor[0].double().numpy()
    counts = np.ones(image.shape[1:]) if mask is None else mask[0, 0].numpy()
    windows = [
        (slice(y, y + size), slice(x, x + size))
        for y in range(0, image.shape[1] - size + 1, stride)
        for x in range(0, image.shape[2] - size + 1, stride)
    ]
    windows = [window for window in windows if (counts[window] > 0.5).all()]
    return windows, [image[:, *window] for window in windows]


def numpy_patch_loss(value, styles, norm, size=3, stride=2, mask=None, style_masks=(None, None)):
    windows, mine = cut(value, size, stride, mask)
    pool = [
        p for s, m in zip(styles, style_masks, strict=False) for p in cut(s, size, stride, m)[1]
    ]
    cover, error = np.zeros(value.shape[2:]), np.zeros(value.shape[1:])
    for window, patch in zip(windows, mine, strict=True):
        cosines = [(patch * p).sum() / np.linalg.norm(p) / np.linalg.norm(patch) for p in pool]
        cover[window] += 1
        error[:, *window] += (patch - pool[np.argmax(cosines)]) ** 2
    total = (error[:, cover > 0] / cover[cover > 0]).sum()
    if norm == "sum":
        return total
    mean = total / (len(error) * (cover > 0).sum())
    return mean / mean_square(pool) if norm == "relative" else mean


@pytest.mark.parametrize("norm", PatchLoss.norms)
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (1, 1), (2, 3)])
def test_patch_loss(norm, size, stride):
    value = features((1, 4, 9, 8), 1)
    styles = [features((1, 4, 7, 6), 2), features((1, 4, 5, 9), 3) + 1]
    expected = numpy_patch_loss(value, styles, norm, size, stride)
    exemplars = [Exemplar(style, 0.5) for style in styles]
    loss = PatchLoss(exemplars, norm=norm, patch_size=size, stride=stride)
    assert loss(value).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", PatchLoss.norms)
def test_masked_patches(norm):
    value, style = features((1, 4, 9, 8), 1), features((1, 4, 7, 9), 2)
    mask, style_mask = torch.ones(1, 1, 9, 8), box_mask(7, 9, slice(0, 5), slice(2, 9))
    mask[..., 0, 0] = mask[..., 4, 5] = 0.3
    expected = numpy_patch_loss(value, [style], norm, mask=mask, style_masks=[style_mask])
    loss = PatchLoss([Exemplar(style, mask=style_mask)], norm=norm, mask=mask)
    assert loss(value).item() == pytest.approx(expected, rel=1e-4)


def test_a_feature_in_several_patches_has_the_mean_of_their_gradients():
    value = features((1, 2, 7, 7)).requires_grad_()
    PatchLoss([Exemplar(torch.ones(1, 2, 3, 3))], norm="sum")(value).backward()
    torch.testing.assert_close(value.grad, 2 * (value.detach() - 1))


def test_patches_of_a_style_have_no_loss():
    style = features((1, 4, 9, 9))
    loss = PatchLoss([Exemplar(features((1, 4, 6, 6), 3), 0.9), Exemplar(style, 0.1)])
    assert loss(style[..., 2:7, 4:9]).item() == 0


def test_a_search_in_parts_finds_the_same_patches(monkeypatch):
    value, exemplars = features((1, 4, 9, 8), 1), [Exemplar(features((1, 4, 7, 6), 2))]
    whole = PatchLoss(exemplars)(value)
    monkeypatch.setattr(mrf, "MOST_SIMILARITIES", 13)
    assert PatchLoss(exemplars)(value) == whole


def test_images_and_masks_smaller_than_a_patch_are_refused():
    small, large = features((1, 4, 2, 9)), features((1, 4, 9, 9))
    message = "take a patch_size of at most 2 instead of 3"
    with pytest.raises(ValueError, match=message):
        PatchLoss([Exemplar(small)])
    with pytest.raises(ValueError, match=message):
        PatchLoss([Exemplar(large)])(small)
    narrow = box_mask(9, 9, slice(0, 9), slice(0, 2))
    with pytest.raises(ValueError, match="smaller patch_size"):
        PatchLoss([Exemplar(large)], mask=narrow)
    with pytest.raises(ValueError, match="smaller patch_size"):
        PatchLoss([Exemplar(large, mask=narrow)])
