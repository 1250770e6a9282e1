"""Iterations of several images made in turn."""

import numpy as np


def panels_of(iterations):
    """Return the iterations of each panel."""
    iterations = list(iterations)
    return [
        [it for it in iterations if it.panel == index] for index in range(len(iterations[0].panels))
    ]


def assert_same_images(found, expected):
    """Assert that two runs have the same images and losses."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses
        assert one.shape == other.shape
