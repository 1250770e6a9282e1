"""The loss of nearest patches against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import Exemplar, PatchLoss
from napari_nst.engine.losses import mrf as patches
from tests.helpers.loss_features import box_mask, features, mean_square


def cut(tensor, size, stride, mask=None):
    """All patches whose positions count, and where they are."""
    image = tensor[0].double().numpy()
    counts = np.ones(image.shape[1:]) if mask is None else mask[0, 0].numpy()
    corners = [
        (slice(y, y + size), slice(x, x + size))
        for y in range(0, image.shape[1] - size + 1, stride)
        for x in range(0, image.shape[2] - size + 1, stride)
    ]
    corners = [corner for corner in corners if (counts[corner] > 0.5).all()]
    return corners, [image[:, *corner] for corner in corners]


def numpy_patch_loss(value, styles, norm, size=3, stride=2, mask=None, style_masks=(None, None)):
    corners, mine = cut(value, size, stride, mask)
    pool = [
        p for s, m in zip(styles, style_masks, strict=False) for p in cut(s, size, stride, m)[1]
    ]
    cover, error = np.zeros(value.shape[2:]), np.zeros(value.shape[1:])
    for corner, patch in zip(corners, mine, strict=True):
        cosines = [(patch * p).sum() / np.linalg.norm(p) / np.linalg.norm(patch) for p in pool]
        cover[corner] += 1
        error[:, *corner] += (patch - pool[np.argmax(cosines)]) ** 2
    total = (error[:, cover > 0] / cover[cover > 0]).sum()
    if norm == "sum":
        return total
    mean = total / (len(error) * (cover > 0).sum())
    return mean / mean_square(pool) if norm == "relative" else mean


@pytest.mark.parametrize("norm", PatchLoss.norms)
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 1), (1, 1), (2, 3), (5, 2)])
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


@pytest.mark.parametrize("norm", PatchLoss.norms)
def test_gradient_is_that_of_finite_differences(norm):
    exemplars = [Exemplar(features((1, 3, 5, 6), 1, torch.float64))]
    value = features((1, 3, 5, 7), 2, torch.float64).requires_grad_()
    assert gradcheck(PatchLoss(exemplars, norm=norm), value)


def test_overlaps_pull_a_feature_as_hard_as_one_patch_does():
    """The gradient of Li & Wand's program: the mean of what covering patches ask for."""
    value = features((1, 2, 7, 7)).requires_grad_()
    PatchLoss([Exemplar(torch.ones(1, 2, 3, 3))], norm="sum")(value).backward()
    torch.testing.assert_close(value.grad, 2 * (value.detach() - 1))


def test_patches_of_a_style_have_no_loss_in_it():
    style = features((1, 4, 9, 9))
    loss = PatchLoss([Exemplar(features((1, 4, 6, 6), 3), 0.9), Exemplar(style, 0.1)])
    assert loss(style[..., 2:7, 4:9]).item() == 0


def test_a_search_in_pieces_finds_the_same(monkeypatch):
    value, exemplars = features((1, 4, 9, 8), 1), [Exemplar(features((1, 4, 7, 6), 2))]
    whole = PatchLoss(exemplars)(value)
    for most in (1, 13):
        monkeypatch.setattr(patches, "MOST_SIMILARITIES", most)
        assert PatchLoss(exemplars)(value) == whole


def test_what_is_smaller_than_a_patch_is_refused():
    small, large = features((1, 4, 2, 9)), features((1, 4, 9, 9))
    message = "2 × 9 are smaller than a patch; take a patch_size of at most 2 instead of 3"
    with pytest.raises(ValueError, match=message):
        PatchLoss([Exemplar(small)])
    with pytest.raises(ValueError, match=message):
        PatchLoss([Exemplar(large)])(small)
    narrow = box_mask(9, 9, slice(0, 9), slice(0, 2))
    with pytest.raises(ValueError, match=r"no room for a patch of 3 × 3.*smaller patch_size"):
        PatchLoss([Exemplar(large)], mask=narrow)
    with pytest.raises(ValueError, match=r"no room for a patch of 3 × 3.*smaller patch_size"):
        PatchLoss([Exemplar(large, mask=narrow)])
