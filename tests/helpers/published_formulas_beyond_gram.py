"""The losses of published programs that compare no Gram matrices, in NumPy and float64."""

import numpy as np

from tests.helpers.published_formulas import (
    RELU_X_1,
    caffe,
    flat,
    gram,
    mse,
    parts,
    positions,
    steps,
)

# Distributions


def sqrtm_ns(matrix, iterations=12):
    """style-transfer-pytorch, sqrtm.py: Newton–Schulz."""
    norm = np.sqrt(np.sum(matrix**2))
    y, identity = matrix / norm, np.eye(len(matrix))
    z = identity
    for _ in range(iterations):
        t = (3 * identity - z @ y) / 2
        y, z = y @ t, t @ z
    return y * np.sqrt(norm)


def style_loss_w2(features, style):
    """style-transfer-pytorch, StyleLossW2, with eps = 1e-4."""

    def mean_and_covariance(f):
        mean, second = flat(f).mean(axis=1), gram(f) / positions(f)
        return mean, second - np.outer(mean, mean) + 1e-4 * np.eye(len(f))

    (mean, cov), (style_mean, style_cov) = mean_and_covariance(features), mean_and_covariance(style)
    root = sqrtm_ns(style_cov)
    cov_diff = np.diag(style_cov + cov - 2 * sqrtm_ns(root @ cov @ root))
    return mse(mean, style_mean) + cov_diff.mean()


def nine_point_tv(rgb):
    """style-transfer-pytorch, TVLoss: differences of an image whose edge is repeated."""
    padded = np.pad(rgb, ((0, 0), (1, 1), (1, 1)), mode="edge")
    s1, s2 = slice(1, None), slice(None, -1)
    down = (padded[:, s1] - padded[:, s2])[:, 1:, 1:-1]
    across = (padded[:, :, s1] - padded[:, :, s2])[:, 1:-1, 1:]
    falling = padded[:, s1, s1] - padded[:, s2, s2]
    rising = padded[:, s1, s2] - padded[:, s2, s1]
    axial = np.mean(down**2) / 3 + np.mean(across**2) / 3
    return 2 * (axial + np.mean(falling**2) / 12 + np.mean(rising**2) / 12)


def crowsonkb(e):
    """style-transfer-pytorch: content weight .015, style weights over their sum, TV weight 2."""
    weights = [256, 64, 16, 4, 1]
    style = sum(
        weight / sum(weights) * style_loss_w2(e.F[k], e.A[k])
        for k, weight in zip(RELU_X_1, weights, strict=True)
    )
    return parts(0.015 * mse(e.F["relu4_2"], e.P["relu4_2"]), style, 2.0 * nine_point_tv(e.rgb))


def sliced_wasserstein(e):
    """Heitz et al. 2021, texture_optimization_slicing.py: sorted projections, a plain sum."""
    convolutions = {1: 2, 2: 2, 3: 4, 4: 4}
    style = 0.0
    for k in (f"relu{block}_{i + 1}" for block, n in convolutions.items() for i in range(n)):
        projected = np.sort(e.directions[k] @ flat(e.F[k]), axis=-1)
        target = np.sort(e.directions[k] @ flat(e.A[k]), axis=-1)
        style += np.mean((projected - target) ** 2)
    return parts(style=style)


# Patches


def windows(features, size=3, stride=2):
    """The grid of patches: pystiche's, without CNNMRF's extra last row and column."""
    height, width = features.shape[1:]
    return [
        (slice(None), slice(y, y + size), slice(x, x + size))
        for y in range(0, height - size + 1, stride)
        for x in range(0, width - size + 1, stride)
    ]


def nearest_patches(features, style):
    """CNNMRF, mrf.lua: for each patch the one of the largest normalised cross-correlation."""
    candidates = [style[window] for window in windows(style)]
    for window in windows(features):
        patch = features[window]
        response = [
            np.sum(patch * other) / (np.linalg.norm(patch) * np.linalg.norm(other))
            for other in candidates
        ]
        yield window, candidates[np.argmax(response)]


def cover(features):
    """How many patches lie over each position."""
    count = np.zeros(features.shape)
    for window in windows(features):
        count[window] += 1
    return count


def mrf_gradient(features, style):
    """CNNMRF, mrf.lua, MRFMM:updateGradInput, weight 1e-4: the mean over covering patches."""
    total = np.zeros(features.shape)
    for window, match in nearest_patches(features, style):
        total[window] += match - features[window]
    return -1e-4 * total / (cover(features) + 1e-10)


def mrf_loss(features, style):
    """½ Σ (patch − match)² of pystiche's papers, each feature by the mean over its patches.

    Both programs divide the gradient by the number of covering patches, but not the loss that they
    print: CNNMRF prints 0, and pystiche counts overlaps several times. The gradient of this formula
    is `mrf_gradient`.
    """
    total = np.zeros(features.shape)
    for window, match in nearest_patches(features, style):
        total[window] += (features[window] - match) ** 2
    return 1 / 2 * np.sum(total / np.maximum(cover(features), 1))


def li_wand(e):
    """pystiche/papers, li_wand_2016, with CNNMRF's parameters."""
    style = sum(1e-4 * mrf_loss(e.F[k], e.A[k]) for k in ("relu3_1", "relu4_1"))
    pixels = caffe(e.rgb)
    # "this ignores the last row and column of the image"
    down = pixels[:, :-1, :-1] - pixels[:, 1:, :-1]
    across = pixels[:, :-1, :-1] - pixels[:, :-1, 1:]
    tv = 1e-3 * 1 / 2 * np.sum(down**2 + across**2)
    return parts(20.0 * mse(e.F["relu4_1"], e.P["relu4_1"]), style, tv)


# Our presets: losses relative to the targets' energies, with the weights of the recipe.


def relative(value, target):
    return np.mean((value - target) ** 2) / np.mean(target**2)


def mean_and_covariance(e, layer):
    f, a = flat(e.F[layer]), flat(e.A[layer])
    of_means = relative(f.mean(axis=1), a.mean(axis=1))
    of_covariances = relative(np.cov(f, bias=True), np.cov(a, bias=True))
    return np.mean([of_means, of_covariances])


def mean_tv(rgb):
    return sum(np.mean(difference**2) for difference in steps(rgb))


def spectrum_of_image(e):
    """Liu et al. 2016, eq. 5, in [0, 1] and divided by the style's variance."""
    f_x, f_a = np.fft.fft2(e.rgb), np.fft.fft2(e.style_rgb)
    inner = (f_x * f_a.conj()).sum(axis=0)
    nearest = np.fft.ifft2(np.exp(1j * np.angle(inner)) * f_a).real
    return mse(e.rgb, nearest) / np.mean(e.style_rgb.var(axis=(1, 2)))


def ours(e, recipe):
    content = sum(w * relative(e.F[k], e.P[k]) for k, w in recipe.content_layers.items())
    style = sum(w * mean_and_covariance(e, k) for k, w in recipe.style_layers.items())
    style += sum(term["style_weight"] * spectrum_of_image(e) for term in recipe.terms)
    return parts(
        recipe.content_weight * content,
        recipe.style_weight * style,
        recipe.tv_weight * mean_tv(e.rgb),
    )
