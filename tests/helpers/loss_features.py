"""Random features and masks, and their statistics by NumPy in float64."""

import numpy as np
import torch


def features(shape, seed=0, dtype=torch.float32):
    """Random features, mostly positive, with a mean of about 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).add(1).to(dtype)


def soft_mask(height, width, seed=0, dtype=torch.float32):
    """A mask (1, 1, H, W) of fractions, some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(1, 1, height, width, generator=generator, dtype=torch.float64)
    return (mask * (mask > 0.2)).to(dtype)


def box_mask(height, width, rows, columns):
    """A mask (1, 1, H, W) that is 1 in a rectangle, 0 elsewhere."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., rows, columns] = 1
    return mask


def positions(tensor):
    """Features (1, C, H, W) as a float64 matrix (C, H·W)."""
    return tensor[0].flatten(1).double().numpy()


def weights(mask, tensor):
    """The weight of each position, (H·W,)."""
    return np.ones(tensor[0, 0].numel()) if mask is None else mask.flatten().double().numpy()


def mean_and_gram(tensor, mask=None):
    """Mean (C,) and second moment (C, C) over positions."""
    f, w = positions(tensor), weights(mask, tensor)
    return f @ w / w.sum(), np.einsum("ik,jk,k->ij", f, f, w) / w.sum()


def blend(exemplars):
    """Mean and second moment of exemplars by their shares."""
    moments = [mean_and_gram(e.features, e.mask) for e in exemplars]
    shares = [e.share for e in exemplars]
    return tuple(
        sum(share * moment[i] for share, moment in zip(shares, moments, strict=True))
        for i in range(2)
    )


def mean_square(array):
    return np.mean(np.square(array))
