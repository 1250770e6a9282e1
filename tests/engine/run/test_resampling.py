"""Some rows of a resampled image: the numbers that the whole has there."""

import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.run import resampling
from napari_nst.engine.run.resampling import Resampling, resized_rows

SIZES = [
    ((45, 64), (64, 91)),
    ((37, 50), (90, 33)),
    ((90, 31), (23, 40)),
    ((301, 9), (24, 9)),
    ((45, 64), (45, 30)),
    ((45, 64), (46, 64)),
    ((30, 20), (30, 20)),
    # Where torch rounds the place of a row by more than a ten-thousandth.
    ((2896, 5), (4095, 7)),
    ((8000, 4), (5001, 3)),
]


def parts_of(height):
    """Both borders, the middle, one row, nearly all, all."""
    third = height // 3
    return [
        *(slice(0, 1), slice(0, third), slice(third, 2 * third), slice(third, third + 1)),
        *(slice(2 * third, height), slice(height - 1, height), slice(1, height)),
        slice(0, height),
    ]


@pytest.mark.parametrize("periodic", [False, True], ids=["borders", "periodic"])
@pytest.mark.parametrize("smooth", [True, False], ids=["bicubic", "bilinear"])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_rows_are_those_of_the_whole_to_the_last_bit(
    random_image, monkeypatch, before, after, smooth, periodic
):
    monkeypatch.setattr(resampling, "STRIP", 48)
    image = random_image(*before)
    whole = resize(image, after, smooth=smooth, periodic=periodic)
    found = Resampling(before[0], after, smooth, periodic)
    for rows in parts_of(after[0]):
        seen = torch.cat([image[:, :, piece] for piece in found.needs(rows)], dim=2)
        assert torch.equal(found.of(seen, rows), whole[:, :, rows]), rows


@pytest.mark.parametrize(("height", "larger"), [(1448, 2048), (2896, 4096), (2048, 2047)])
def test_few_rows_are_needed_beside_ones_own(height, larger):
    half = slice(larger // 2, larger)
    (needed,) = Resampling(height, (larger, 9)).needs(half)
    assert needed.stop == height
    assert height // 2 - 6 <= needed.start < height // 2


def test_a_periodic_image_is_needed_on_both_sides_of_its_border():
    first, second = Resampling(100, (150, 9), periodic=True).needs(slice(0, 50))
    assert (first.stop, second.start) == (100, 0)
    assert 96 <= first.start < 99
    assert 33 < second.stop < 39
    assert Resampling(100, (150, 9), periodic=True).needs(slice(2, 148)) == (slice(0, 100),)


def test_rows_of_a_view_leave_the_rest_alone(random_image):
    image = random_image(60, 40)
    expected = resize(image, (90, 60), smooth=False)[:, :, 30:60]
    image[:, :, :15] = image[:, :, 45:] = torch.nan
    assert torch.equal(resized_rows(image, (90, 60), slice(30, 60), smooth=False), expected)
