"""The losses of programs that add to Gram matrices or to channels, in NumPy and float64."""

import numpy as np

from tests.helpers.published_formulas import (
    RELU_X_1,
    caffe,
    flat,
    gram_per_position,
    mse,
    parts,
    positions,
)

GATYS_TEXTURE = ("relu1_1", "pool1", "pool2", "pool3", "pool4")


def spst_texture(e):
    """scaling_painting_style_transfer, texture_synthesis_spst.py, with wmeanstd = 1000."""
    wmeanstd, style = 1000, 0.0
    for k, n in zip(RELU_X_1, (64, 128, 256, 512, 512), strict=True):
        weight = 1e3 / n**2
        style += weight * mse(gram_per_position(e.F[k]), gram_per_position(e.A[k]))
        (mu, std), (mu_style, std_style) = (
            (f.mean(axis=1), np.sqrt(np.diagonal(f @ f.T) / f.shape[1] - f.mean(axis=1) ** 2))
            for f in (flat(e.F[k]), flat(e.A[k]))
        )
        weight_of_means = weight * n**2 * wmeanstd / 100
        style += weight_of_means * (mse(mu, mu_style) + mse(std, std_style))
    return parts(style=style)


def spst(e):
    """The same, spst.py, with content weight 1."""
    return parts(1e0 * mse(e.F["relu4_2"], e.P["relu4_2"]), spst_texture(e)["style"])


def l2_loss(values):
    """TensorFlow's."""
    return np.sum(np.abs(values) ** 2) / 2


def gonthier_gram(e):
    """Style_Transfer.py, sum_style_losses."""
    style = 0.0
    for k in GATYS_TEXTURE:
        loss = l2_loss(gram_per_position(e.F[k]) - gram_per_position(e.A[k]))
        style += loss * 1e9 / (2 * len(e.F[k]) ** 2 * len(GATYS_TEXTURE))
    return style


def gonthier_spectrum(e):
    """Style_Transfer.py, loss_spectrumTFabs with beta = 1e5 and eps = 1e-16, and Gram matrices."""
    x, a = caffe(e.rgb), caffe(e.style_rgb)
    f_x, f_a = np.fft.fft2(x), np.fft.fft2(a)
    inner = (f_x * f_a.conj()).sum(axis=0)
    assert inner[0, 0].real > 0  # else the program takes a colour for its opposite; ours does not
    nearest = np.fft.ifft2(inner / (np.abs(inner) + 1e-16) * f_a).real
    spectrum = l2_loss(x - nearest) * 1e5 / (3 * positions(x))
    return parts(style=gonthier_gram(e) + spectrum)


def gonthier_autocorrelation(e):
    """Style_Transfer.py, loss_autocorr with gamma = 1."""
    style = 0.0
    for k in GATYS_TEXTURE:
        r_x, r_a = (np.abs(np.fft.fft2(f)) ** 2 / positions(f) ** 2 for f in (e.F[k], e.A[k]))
        style += l2_loss(r_x - r_a) * 1e9 / (2 * len(e.F[k]) ** 2 * len(GATYS_TEXTURE))
    return parts(style=style)


def long_range_sw(e):
    """LongRangeSlicedWasserstein, synthesis.py: mean of losses, over 255²."""
    convolutions = {1: 2, 2: 2, 3: 4, 4: 2, 5: 2}
    layers = [f"relu{block}_{i + 1}" for block, n in convolutions.items() for i in range(n)]
    losses = []
    for k in layers:
        projected, target = (np.sort(e.directions[k] @ flat(f)) for f in (e.F[k], e.A[k]))
        losses.append(mse(projected, target))
    for k in layers:
        if k not in ("relu3_3", "relu3_4"):
            # The program swaps channels and height, and then flattens all but the first axis.
            directions = e.directions[f"{k}/sliced_rows"]
            projected, target = (
                np.sort(directions @ f.transpose(1, 2, 0).reshape(f.shape[1], -1))
                for f in (e.F[k], e.A[k])
            )
            losses.append(mse(projected, target))
    return parts(style=np.sum(losses) / len(losses) / 255**2)
