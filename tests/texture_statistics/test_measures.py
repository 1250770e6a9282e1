"""Each statistic against cases that are known, and against porespy."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import perimeter_crofton

from napari_nst.texture_statistics.copies import largest_copy
from napari_nst.texture_statistics.lines import chord_counts, lineal_path
from napari_nst.texture_statistics.minkowski import (
    boundary_per_area,
    euler_per_size,
    surface_per_volume,
)
from napari_nst.texture_statistics.spectrum import BINS, SECTORS, Spectrum
from napari_nst.texture_statistics.two_point import (
    along,
    bright_half,
    correlation_length,
    radial,
    two_point_correlation,
    two_point_distance,
)
from tests.helpers.two_phases import discs

PORESPY = json.loads((Path(__file__).parents[1] / "data" / "porespy.json").read_text())
BOARD = np.indices((40, 40)).sum(axis=0) % 2 == 0
STRIPES = np.tile(np.arange(96) % 12 < 4, (64, 1))
"""Upright, 4 of 12 pixels wide."""


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def power_spectrum(pixels):
    return Spectrum(pixels.reshape(*pixels.shape[:2], -1) / 255).radial


@pytest.mark.parametrize("name", ["discs", "balls"])
def test_s2_lineal_path_and_chords_are_those_of_porespy(name):
    found = PORESPY[name]
    phase = discs(found["shape"], found["count"], found["radius"])
    assert phase.mean() == pytest.approx(found["porosity"])
    reach = len(found["s2"]) - 1
    _, s2 = radial(two_point_correlation(phase, reach), [1.0] * phase.ndim)
    assert s2 == pytest.approx(found["s2"])
    for axis, path in enumerate(found["lineal_path"]):
        assert lineal_path(phase, axis, len(path) - 1) == pytest.approx(path)
        inner = [slice(None) if one == axis else slice(1, -1) for one in range(phase.ndim)]
        # porespy leaves out lines that lie in the border.
        assert chord_counts(phase[tuple(inner)], axis)[1:].tolist() == found["chords"][axis][1:]


def test_s2_of_a_checkerboard_and_of_a_half_plane():
    down, right = np.mgrid[:6, -5:6]
    expected = np.where((down + right) % 2 == 0, 0.5, 0)
    assert two_point_correlation(BOARD, 5) == pytest.approx(expected, abs=2e-3)
    half = np.zeros((30, 40), bool)
    half[:, :20] = True
    # Of the 40 − d pairs of columns, 20 − d lie in the left half.
    expected = [(20 - abs(d)) / (40 - abs(d)) for d in range(-7, 8)]
    assert two_point_correlation(half, 7)[3] == pytest.approx(expected)


def test_s2_of_random_discs_is_that_of_the_formula():
    """Overlapping discs: S2(r) = exp(−ρ A(r)), A the area of two discs at a distance r."""
    radius, count, side = 6, 400, 400
    phases = [discs((side, side), count, radius, seed) for seed in range(1, 4)]
    lengths, found = radial(np.mean([two_point_correlation(one, 15) for one in phases], 0), [1, 1])
    half = np.minimum(lengths / 2 / radius, 1)
    overlap = 2 * radius**2 * (np.arccos(half) - half * np.sqrt(1 - half**2))
    pixels = (~discs((side, side), 1, radius)).sum()  # of one disc, instead of π r²
    expected = np.exp(-count / side**2 * (2 * pixels - overlap * pixels / np.pi / radius**2))
    assert found == pytest.approx(expected, abs=0.012)
    assert correlation_length(lengths, found) == pytest.approx(
        correlation_length(lengths, expected), rel=0.1
    )


def test_only_pairs_and_segments_inside_a_mask_count():
    phase = discs((64, 80), 30, 6)
    mask = np.zeros(phase.shape, bool)
    mask[10:50, 20:70] = True
    outside = np.where(mask, phase, noise(phase.shape) > 127)
    inner = phase[10:50, 20:70]
    assert two_point_correlation(outside, 8, mask) == pytest.approx(two_point_correlation(inner, 8))
    # 50 columns apart, no two of them are inside.
    assert np.isnan(two_point_correlation(outside, (8, 60), mask)[0, 60 + 50])
    for axis in (0, 1):
        assert lineal_path(outside, axis, 8, mask) == pytest.approx(lineal_path(inner, axis, 8))
        counts = chord_counts(outside, axis, mask)
        assert counts.tolist() == chord_counts(inner, axis).tolist()
    scale = (0.5, 0.25)
    assert boundary_per_area(outside, scale, mask) == pytest.approx(boundary_per_area(inner, scale))
    assert euler_per_size(outside, scale, mask) == pytest.approx(euler_per_size(inner, scale))


def test_lengths_of_stripes_along_each_axis():
    assert lineal_path(STRIPES, 0, 20) == pytest.approx(np.full(21, 1 / 3))
    across = lineal_path(STRIPES, 1, 6)
    # Of 96 − d segments, 8 stripes hold 4 − d each.
    assert across == pytest.approx([8 * max(0, 4 - d) / (96 - d) for d in range(7)])
    counts = chord_counts(STRIPES, 1)
    assert counts.tolist() == [0, 0, 0, 0, 7 * 64]  # the border cuts the first stripe
    assert chord_counts(STRIPES, 0).sum() == 0
    s2 = two_point_correlation(STRIPES, 24)
    assert along(s2, 0) == pytest.approx(np.full(25, 1 / 3))
    assert along(s2, 1)[12] == pytest.approx(along(s2, 1)[0], abs=0.02)
    assert along(s2, 1)[6] == pytest.approx(0)
    assert math.isnan(correlation_length(np.arange(25.0), along(s2, 0)))
    # (S2 − 1/9) ÷ (1/3 − 1/9) falls by 3/8 with each pixel at first: S2 = (4 − r) ÷ 12.
    expected = (1 - math.exp(-1)) * 8 / 3
    assert correlation_length(np.arange(25.0), along(s2, 1)) == pytest.approx(expected, rel=0.03)


def test_pixels_that_are_no_squares_have_lengths_along_their_axes():
    lengths, s2 = radial(two_point_correlation(BOARD, (8, 4)), (0.5, 1.0))
    assert lengths[[0, -1]] == pytest.approx([0, 4], abs=0.3)
    assert s2[0] == pytest.approx(0.5)  # of no displacement alone, not of half a unit down


def test_the_boundary_is_that_of_scikit_image_without_the_border():
    phase = np.linalg.norm(np.indices((120, 120)) - 59.5, axis=0) < 30
    found = boundary_per_area(phase, (1, 1)) * phase.size
    assert found == pytest.approx(perimeter_crofton(phase, 4), rel=0.02)
    assert found == pytest.approx(2 * math.pi * 30, rel=0.03)
    # Twice as many rows of half the height: the same disc.
    tall = phase.repeat(2, axis=0)
    assert boundary_per_area(tall, (0.5, 1)) == pytest.approx(found / phase.size, rel=0.05)
    assert boundary_per_area(STRIPES, (1, 1)) == pytest.approx(15 / 96, rel=0.1)
    assert boundary_per_area(np.ones((8, 8), bool), (1, 1)) == 0


def test_surface_and_euler_number_of_balls_and_tubes():
    ball = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0) < 20
    area = surface_per_volume(ball, (1, 1, 1)) * 59**3
    assert area == pytest.approx(4 * math.pi * 20**2, rel=0.12)
    assert euler_per_size(ball, (1, 1, 1)) * ball.size == pytest.approx(1)
    assert surface_per_volume(ball, (2, 2, 2)) == pytest.approx(area / 59**3 / 2)
    half = np.ones(ball.shape, bool)
    half[30:] = False  # half of the ball, whose cut is no surface
    assert surface_per_volume(ball, (1, 1, 1), half) == pytest.approx(
        surface_per_volume(ball[:30], (1, 1, 1)), rel=0.01
    )
    ring = ball & (np.linalg.norm(np.indices((60, 60, 60))[1:] - 29.5, axis=0) > 8)
    assert euler_per_size(ring, (1, 1, 1)) * ball.size == pytest.approx(0)
    plane = np.linalg.norm(np.indices((60, 60)) - 29.5, axis=0)
    assert euler_per_size((plane < 20) & (plane > 8), (1, 1)) * 3600 == pytest.approx(0)
    assert surface_per_volume(np.zeros((8, 8, 8), bool), (1, 1, 1)) == 0


def test_the_bright_half_is_half_of_the_pixels_whatever_are_as_bright_as_the_median():
    levels = np.repeat([0.1, 0.2, 0.3, 0.9], (30, 25, 35, 10)).reshape(10, 10)
    share = bright_half(levels)
    assert share.sum() == pytest.approx(50)
    assert share[levels < 0.2].max() == 0
    assert share[levels > 0.2].min() == 1
    assert bright_half(np.arange(9.0)).sum() == pytest.approx(4.5)
    mask = levels > 0.15
    assert bright_half(levels, mask).sum() == pytest.approx(35)


def test_octaves_of_s2_count_alike():
    same, near, far = (np.zeros((17, 33)) for _ in range(3))
    near[1:3, 15:18], far[8:17] = 1, 1
    assert two_point_distance(same, same) == 0
    assert two_point_distance(same, near) == pytest.approx(two_point_distance(same, far), rel=0.5)


def test_the_spectrum_of_a_wave_and_of_grain():
    wave = np.tile(np.rint(127 + 100 * np.sin(np.arange(128) * 2 * np.pi / 8)), (128, 1))
    assert np.nanargmax(power_spectrum(wave.astype(np.uint8))) == 2 * BINS // 8
    assert power_spectrum(noise((128, 128)))[1:].std() < 0.1
    grain = np.tile(noise((64, 64, 1)) // 8, (1, 1, 3)).astype(int)
    grain[..., 0] *= -1  # no grain in the sum of red and green
    coloured = (128 + grain * [1, 1, 0]).astype(np.uint8)
    assert power_spectrum(coloured)[-1] > power_spectrum(np.full_like(coloured, 128))[-1] + 3


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_waves_of_one_direction_are_anisotropic(degrees):
    down, right = np.indices((96, 120))
    along_wave = right * np.cos(np.radians(degrees)) + down * np.sin(np.radians(degrees))
    wave = Spectrum(np.sin(along_wave * 0.7)[..., None])
    assert wave.anisotropy > 0.95
    assert np.argmax(wave.directions) * 180 / SECTORS == degrees
    grain = Spectrum(noise((96, 120, 1)) / 255)
    assert grain.anisotropy < 0.05
    assert np.abs(grain.directions - 1).max() < 0.3
    assert Spectrum(np.full((32, 32, 1), 0.5)).anisotropy == 0


def test_frequencies_are_those_of_the_pixels_and_a_mask_hides_the_rest():
    layers = np.sin(np.arange(48) * 2 * np.pi / 6)[:, None, None, None] * np.ones((48, 40, 44, 1))
    volume = Spectrum(layers, (2.0, 2.0, 2.0))
    assert volume.highest == 0.25
    at = (np.nanargmax(volume.radial) + 0.5) / BINS * volume.highest
    assert at == pytest.approx(1 / 12, abs=volume.highest / BINS)
    assert volume.anisotropy > 0.95
    mask = np.zeros((48, 40, 44), bool)
    mask[:, 4:36, 4:40] = True
    spoiled = np.where(mask[..., None], layers, 9.0)
    assert Spectrum(spoiled, mask=mask).anisotropy > 0.9


def test_a_patch_taken_over_is_found_whatever_its_brightness():
    exemplar, texture = noise((96, 96)), noise((96, 96), seed=1)
    assert largest_copy(texture / 255, exemplar / 255) == 0
    texture[24:64, 32:72] = exemplar[50:90, 11:51] // 2 + 100
    assert largest_copy(texture / 255, exemplar / 255) == 32  # 40 px start at multiples of 10
    assert largest_copy(exemplar / 255, exemplar / 255) == 96
    flat = np.full((96, 96), 0.4)
    assert largest_copy(flat, flat) == 0
