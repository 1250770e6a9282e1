"""Filling a region that changes while the run goes on."""

import numpy as np
import pytest
import skimage.data

import napari_nst as nst
from napari_nst.engine.job.build import order_to_synthesize
from napari_nst.engine.job.job import Change
from napari_nst.recipe import preset
from tests.helpers.small_images import STYLE

INTO = np.ascontiguousarray(skimage.data.astronaut()[100:196, 100:196])
ORIGINAL = (INTO / np.float32(255)).astype(np.float32)


def box(rows, columns):
    region = np.zeros(INTO.shape[:2], int)
    region[slice(*rows), slice(*columns)] = 1
    return region


FIRST = box((4, 24), (4, 24))
MOVED = box((12, 40), (4, 16))
BEYOND = box((4, 95), (4, 24))  # the run that fills the first region works on 88 rows


@pytest.fixture
def fill(quick):
    """Fill the first region, call `change(steering)` after two steps, and return all iterations."""

    def fill(change, exemplar=STYLE, told=None, **fields):
        steering, found = nst.Steering(None if told is None else told.append), []
        recipe = quick(**{"init": "noise", "steps": 4, **fields})
        for it in nst.synthesize(exemplar, recipe, into=INTO, region=FIRST, steering=steering):
            found.append(it)
            if it.step == 2:
                change(steering)
        assert len(found) == 4
        return found

    return fill


@pytest.mark.parametrize(
    ("region", "exemplar", "fields"),
    [
        (box((4, 40), (4, 60)), None, {"optimizer": "adam", "ema": 0.9}),
        (MOVED, STYLE, {"min_size": 40}),
    ],
)
def test_another_region_is_filled_from_the_next_iteration_on(fill, exemplar, region, fields):
    found = fill(lambda s: s.fill(region), exemplar, **fields)
    for it, filled in zip(found, [FIRST, FIRST, region, region], strict=True):
        np.testing.assert_array_equal(it.image[filled == 0], ORIGINAL[filled == 0])
        np.testing.assert_array_equal(it.free, filled > 0)
    assert np.abs(found[-1].image - ORIGINAL)[region > 0].mean() > 0.01
    record = found[-1].record()
    assert record["steered"] == [{"after_step": 2, "region": True}]
    assert record["arguments"] == {"filled_pixels": int(region.sum())}


def test_pixels_of_both_regions_keep_their_values_and_added_pixels_start_from_the_image(fill):
    found = fill(lambda s: s.fill(lambda: MOVED), optimizer="adam", learning_rate=1e-6)
    before, after = found[1].image, found[2].image
    both, added = (FIRST & MOVED) > 0, MOVED > FIRST
    np.testing.assert_allclose(after[both], before[both], atol=1e-4)
    assert np.abs(after - ORIGINAL)[both].mean() > 0.1
    np.testing.assert_allclose(after[added], ORIGINAL[added], atol=1e-4)


def test_the_losses_are_those_of_the_new_region(fill, quick):
    found = fill(lambda s: s.fill(MOVED), optimizer="adam", learning_rate=1e-6)
    recipe = quick(init="image", optimizer="adam", learning_rate=1e-6, steps=1)
    options = {"into": INTO, "region": MOVED, "init_image": found[2].image}
    [alone] = nst.synthesize(STYLE, recipe, **options)
    # `tv` is a mean over the window of a run: 64 pixels around the region that it began with.
    names = alone.losses.keys() - {"total", "tv"}
    wanted = pytest.approx({name: alone.losses[name] for name in names}, rel=0.02, abs=1e-3)
    assert {name: found[2].losses[name] for name in names} == wanted
    assert found[2].losses["style"] > 0.1


# The job


def changed(exemplar, **change):
    job = order_to_synthesize(exemplar, preset("texture"), into=INTO, region=FIRST)
    new = job.changed(Change(**{name: lambda v=v: v for name, v in change.items()}))
    return new, job.differences(new)


def test_the_exemplar_around_the_region_is_that_of_the_new_region():
    new, found = changed(None, region=MOVED)
    (style,), (labels,) = new.styles, new.guides.styles
    assert style.shape == labels.shape
    hidden = MOVED[: labels.shape[0], : labels.shape[1]] > 0
    assert not labels[hidden].any()
    assert not style.alpha[hidden].any()
    assert labels[6, 40]
    assert found == {"region": True}
    np.testing.assert_array_equal(new.keep_outside.mask, MOVED > 0)


def test_the_exemplar_may_change_with_its_region():
    part = np.zeros((80, 70), int)
    part[20:60, 20:60] = 1
    other = np.tile(STYLE, (2, 2, 1))[:80, :70]
    new, found = changed(STYLE, region=FIRST, styles=[other], exemplar_region=part)
    assert found == {"styles": True, "exemplar_region": True}
    assert new.guides.styles[0].sum() == new.arguments["exemplar_pixels"] == part.sum()
    new, found = changed(None, styles=[STYLE])
    assert found == {"styles": True}
    assert new.guides.styles[0].all()


# Changes that are not possible


@pytest.mark.parametrize(
    ("regions", "exemplar", "told"),
    [
        ([BEYOND], STYLE, "`region` reaches beyond the 64 pixels around"),
        ([MOVED, FIRST], None, "`exemplar_region` marks pixels of an exemplar"),
    ],
)
def test_an_impossible_region_is_told_and_the_run_goes_on(fill, regions, exemplar, told):
    sentences = []
    found = fill(lambda s: s.fill(*regions), exemplar, sentences)
    [sentence] = sentences
    assert sentence.startswith(f"Not changed: {told}")
    np.testing.assert_array_equal(found[-1].free, FIRST > 0)
    assert "steered" not in found[-1].facts


def test_a_run_that_fills_nothing_has_no_region_to_change(quick):
    told = []
    steering = nst.Steering(told.append)
    steering.fill(FIRST)
    found = list(nst.synthesize(STYLE, quick(init="noise"), steering=steering))
    assert "`region`" in told[0]
    assert found[-1].free is None
