"""Images of two phases whose statistics are known."""

import numpy as np


def discs(shape, count, radius, seed=0):
    """Overlapping discs or balls at random places of a periodic image, true outside of them.

    The drawing needs integers alone, so that it is the same with every version of NumPy.
    """
    centres, state = [], seed * 2654435761 % 2**32 or 1
    for _ in range(count * len(shape)):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        centres.append(state)
    grid = np.indices(shape)
    empty = np.ones(shape, bool)
    for index in range(count):
        squared = np.zeros(shape, int)
        for axis, side in enumerate(shape):
            apart = np.abs(grid[axis] - centres[index * len(shape) + axis] % side)
            squared += np.minimum(apart, side - apart) ** 2
        empty &= squared > radius**2
    return empty
