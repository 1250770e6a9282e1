"""Motion between slices, and what results add to it."""

import numpy as np
import pytest
import skimage.data
from scipy import ndimage

import napari_nst as nst
from napari_nst.stacks.motion import certainty, flow_between, warped

PHOTO = (skimage.data.camera()[100:228, 100:228] / 255).astype(np.float32)


def moved(image, by):
    return ndimage.shift(image, by, order=1, mode="nearest")


def test_a_flow_takes_the_image_before_to_the_image_now():
    now = moved(PHOTO, (2, -3))
    flow = flow_between(now, PHOTO)
    inner = np.s_[:, 20:-20, 20:-20]
    np.testing.assert_allclose(np.median(flow[inner], axis=(1, 2)), (-2, 3), atol=0.1)
    error = np.abs(warped(PHOTO, flow) - now)[20:-20, 20:-20].mean()
    assert error < 0.2 * np.abs(PHOTO - now)[20:-20, 20:-20].mean()


def test_what_appears_behind_a_moving_object_is_uncertain():
    """A textured square moves over another texture by 6 pixels."""
    texture = np.random.default_rng(0).random((2, 96, 96), np.float32)
    ground, figure = ndimage.gaussian_filter(texture, (0, 1.5, 1.5)) * 6

    def scene(left):
        image = ground.copy()
        image[32:64, left : left + 32] = figure[32:64, :32]
        return image

    before, now = scene(24), scene(30)
    certain = certainty(flow_between(now, before), flow_between(before, now))
    assert certain[36:60, 24:30].mean() < 0.5  # was hidden
    assert certain[38:58, 38:54].mean() > 0.7
    assert certain[8:24, 8:88].mean() > 0.95


def test_a_flow_of_large_images_is_as_long_as_of_small_ones():
    large = np.kron(PHOTO, np.ones((8, 8), np.float32))
    flow = flow_between(moved(large, (8, 0)), large)
    np.testing.assert_allclose(np.median(flow[0]), -8, atol=1.5)


def test_slices_without_any_structure_have_no_flow():
    flat = np.ones((40, 48), np.float32)
    assert not flow_between(flat, flat).any()


def test_flicker_is_what_the_motion_does_not_explain():
    random = np.random.default_rng(0)
    contents = [moved(PHOTO, (k, 0)) + random.normal(0, 0.01, PHOTO.shape) for k in range(3)]
    contents = [one.clip(0, 1).astype(np.float32) for one in contents]
    flickering = [(one + random.normal(0, 0.1, one.shape)).clip(0, 1) for one in contents]
    assert nst.flicker(contents, contents) == pytest.approx(1)
    assert nst.flicker(flickering, contents) > 3
    with pytest.raises(ValueError, match="two"):
        nst.flicker(contents[:1], contents[:1])


def test_the_temporal_loss_keeps_a_result_where_the_content_moves(style, quick):
    stack = np.stack([moved(PHOTO, (k, k))[:64, :64] for k in range(3)])
    changes = []
    for weight in (0, 5000):
        run = nst.stylize_stack(
            stack, style, quick(size=64, steps=6), temporal=weight, warm_steps=6
        )
        *_, last = run
        assert ("temporal" in last.losses) == bool(weight)
        results = [run.array[k] / np.float32(255) for k in range(3)]
        changes.append(nst.flicker(results, list(stack)))
    assert changes[1] < 0.7 * changes[0]
