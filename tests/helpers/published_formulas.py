"""The losses of published programs, in NumPy and float64.

Nothing is shared with the engine, and nothing is simplified: the Gram matrices, sums, means, pixel
ranges and weights are those of each source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

RELU_X_1 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True)
class Evaluation:
    """The features (C, H, W) of all layers, and the image, of which losses are computed.

    F are the image's features, P the content's and A the style's; `rgb` is the image itself,
    (3, H, W) in [0, 1], and `style_rgb` the style. Random directions (directions × entries) of
    layers, and of their rows as relu1_1/sliced_rows, are the program's own to draw.
    """

    F: Mapping[str, np.ndarray]
    P: Mapping[str, np.ndarray]
    A: Mapping[str, np.ndarray]
    rgb: np.ndarray
    directions: Mapping[str, np.ndarray] = field(default_factory=dict)
    style_rgb: np.ndarray | None = None


def parts(content=0.0, style=0.0, tv=0.0):
    return {"content": content, "style": style, "tv": tv, "total": content + style + tv}


def flat(features):
    """(C, M)."""
    return features.reshape(len(features), -1)


def gram(features):
    """The raw one, F Fᵀ."""
    return flat(features) @ flat(features).T


def positions(features):
    return features[0].size


def mse(value, target):
    return np.mean((value - target) ** 2)


def gram_per_position(features):
    return gram(features) / positions(features)


def steps(image):
    """Differences of all neighbours, down and across."""
    return np.diff(image, axis=1), np.diff(image, axis=2)


def caffe(rgb):
    """BGR, 0–255, less the mean; neural-style's older versions have 256."""
    return 255 * rgb[::-1] - np.array([103.939, 116.779, 123.68])[:, None, None]


# Gatys, Ecker & Bethge


def gatys_2016(e):
    """NeuralImageSynthesis, BasicStyleTransfer.ipynb, "norm net": MSE and GramMSE."""
    style = sum(
        1e9 / 5 * mse(gram_per_position(e.F[k]), gram_per_position(e.A[k])) for k in RELU_X_1
    )
    return parts(1e6 * mse(e.F["relu4_2"], e.P["relu4_2"]), style)


def gatys_2016_caffe(e):
    """The same notebook's "org net", and PytorchNeuralStyleTransfer: style weights 1e3/n²."""
    channels = dict(zip(RELU_X_1, (64, 128, 256, 512, 512), strict=True))
    style = sum(
        1e3 / n**2 * mse(gram_per_position(e.F[k]), gram_per_position(e.A[k]))
        for k, n in channels.items()
    )
    return parts(1e0 * mse(e.F["relu4_2"], e.P["relu4_2"]), style)


def squared_error_of_layer(features, style):
    """Gatys et al. 2016, eq. 4: E = Σ (G − A)²/(4 N² M²)."""
    n, m = flat(features).shape
    return np.sum((gram(features) - gram(style)) ** 2) / (4 * n**2 * m**2)


def gatys_2016_paper(e):
    """Gatys et al. 2016, eqs. 1, 4, 5 and 7, with w = 1/5 and α/β = 1e-3."""
    alpha, beta = 1, 1e3
    content = 1 / 2 * np.sum((e.F["relu4_2"] - e.P["relu4_2"]) ** 2)
    style = sum(1 / 5 * squared_error_of_layer(e.F[k], e.A[k]) for k in RELU_X_1)
    return parts(alpha * content, beta * style)


def gatys_texture(e):
    """DeepTextures, LossFunctions.gram_mse_loss: weight/4 · Σ (G/M − A/M)²/N²."""
    style = 0.0
    for k in ("relu1_1", "pool1", "pool2", "pool3", "pool4"):
        difference = gram_per_position(e.F[k]) - gram_per_position(e.A[k])
        style += 1e9 / 4 * (difference**2).sum() / len(e.F[k]) ** 2
    return parts(style=style)


# Programs


def neural_style(e):
    """neural-style-pt: ContentLoss, StyleLoss (G over nElement = N·M) and TVLoss."""
    style = sum(1e2 * mse(gram(e.F[k]) / e.F[k].size, gram(e.A[k]) / e.A[k].size) for k in RELU_X_1)
    x_diff, y_diff = steps(caffe(e.rgb))
    tv = 1e-3 * (np.sum(np.abs(x_diff)) + np.sum(np.abs(y_diff)))
    return parts(5e0 * mse(e.F["relu4_2"], e.P["relu4_2"]), style, tv)


def pystiche(e):
    """Pystiche's command line: style weight 1e3, layer weights "mean"."""
    of_layers = [mse(gram_per_position(e.F[k]), gram_per_position(e.A[k])) for k in RELU_X_1]
    return parts(1.0 * mse(e.F["relu4_2"], e.P["relu4_2"]), 1e3 * np.mean(of_layers))


def gordicaleksa(e):
    """pytorch-neural-style-transfer: MSELoss(reduction="sum") of G/(C·H·W), over 5 layers; TV."""

    def normalised_gram(f):
        return gram(f) / (len(f) * positions(f))

    style = 0.0
    for k in RELU_X_1:
        style += np.sum((normalised_gram(e.A[k]) - normalised_gram(e.F[k])) ** 2)
    style /= len(RELU_X_1)
    pixels = 255 * e.rgb - np.array([123.675, 116.28, 103.53])[:, None, None]
    tv = sum(np.sum(np.abs(difference)) for difference in steps(pixels))
    return parts(1e5 * mse(e.F["relu4_2"], e.P["relu4_2"]), 3e4 * style, 1e0 * tv)


# Articles


def lets_enhance_style(e):
    """Gram matrices over 50·75·256, mean squared, one layer."""
    scale = 50 * 75 * 256
    return parts(style=mse(gram(e.F["relu5_1"]) / scale, gram(e.A["relu5_1"]) / scale))


def lets_enhance_content(e):
    """One layer, mean squared."""
    return parts(mse(e.F["relu3_1"], e.P["relu3_1"]))


def tf_eager(e):
    """get_style_loss and get_content_loss of the tutorial, and its compute_loss."""
    style = 0.0
    for k in RELU_X_1:  # block1_conv1 … block5_conv1, after their ReLUs
        style += 1 / 5 * mse(gram_per_position(e.F[k]), gram_per_position(e.A[k]))
    content = 1 / 1 * mse(e.F["relu5_2"], e.P["relu5_2"])  # block5_conv2
    return parts(1e3 * content, 1e-2 * style)


CONV_2_4_8_16 = ("conv1_2", "conv2_2", "conv3_4", "conv5_4")


def conv_k_transfer(e):
    """Content conv_9 × 1, styles × .5; relative to their targets' energies, which is ours."""
    target = e.P["conv4_1"]
    content = np.sum((e.F["conv4_1"] - target) ** 2) / np.sum(target**2)
    style = 0.0
    for k in CONV_2_4_8_16:
        mine, target = gram_per_position(e.F[k]), gram_per_position(e.A[k])
        style += 0.5 * np.sum((mine - target) ** 2) / np.sum(target**2)
    return parts(1 * content, style)


def conv_k_texture(e):
    """Styles × .5; means, which are ours."""
    pairs = [(gram_per_position(e.F[k]), gram_per_position(e.A[k])) for k in CONV_2_4_8_16]
    return parts(style=sum(0.5 * mse(mine, target) for mine, target in pairs))


def conv_k_reconstruction(e):
    return parts(mse(e.F["conv2_2"], e.P["conv2_2"]))  # conv_4


def udacity(e):
    """Style_Transfer_Exercise.ipynb: layer loss / (d·h·w), alpha 1, beta 1e6."""
    style_weights = dict(zip(RELU_X_1, (1.0, 0.8, 0.5, 0.3, 0.1), strict=True))
    style = 0.0
    for k, weight in style_weights.items():
        d, h, w = e.F[k].shape
        layer_style_loss = weight * np.mean((gram(e.F[k]) - gram(e.A[k])) ** 2)
        style += layer_style_loss / (d * h * w)
    return parts(1 * mse(e.F["relu4_2"], e.P["relu4_2"]), 1e6 * style)


def tf_gatys(e):
    """½ Σ (F − P)² × 10e-5; Σ (G − A)²/(4 N² M²), its mean over layers, × 5."""
    content = np.sum((e.F["relu4_2"] - e.P["relu4_2"]) ** 2) / 2
    style = np.mean([squared_error_of_layer(e.F[k], e.A[k]) for k in RELU_X_1])
    return parts(10e-5 * content, 5 * style)
