import math

import pytest
import torch

from napari_nst.engine.vgg import weights
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.recipe import Recipe


@pytest.fixture(scope="session")
def gatys():
    """The real network; tests that ask for it are marked `network`."""
    return weights.load("gatys")


@pytest.fixture(scope="session")
def untrained():
    """A whole VGG-19 of random kernels that keep features at one size (He et al. 2015)."""
    generator = torch.Generator().manual_seed(0)

    def parameter(shape):
        if len(shape) == 1:
            return torch.randn(shape, generator=generator).mul(0.1)
        return torch.randn(shape, generator=generator).mul(math.sqrt(2 / math.prod(shape[1:])))

    return PretrainedVGG(
        "caffe",
        {name: parameter(shape) for name, shape in SHAPES.items()},
        sha256="",
        channel_order="BGR",
        input_scale=255.0,
        mean=(103.939, 116.779, 123.68),
        std=(64.0, 64.0, 64.0),
    )


@pytest.fixture(scope="session")
def untrained_file(untrained, tmp_path_factory):
    """The same network as a file for `Recipe.weights`; its first kernels scale the input."""
    path = tmp_path_factory.mktemp("weights") / "untrained.pth"
    first = {"conv1_1.weight": untrained.parameters["conv1_1.weight"] / 64}
    torch.save({**untrained.parameters, **first}, path)
    return str(path)


@pytest.fixture
def random_image():
    """Return a function that makes an image (1, 3, H, W), RGB in [0, 1]."""

    def image(height, width, seed=0, dtype=torch.float32):
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(1, 3, height, width, generator=generator, dtype=dtype)

    return image


@pytest.fixture
def real(gatys):
    """The real network is on this machine; its recipes are those of users."""


@pytest.fixture
def quick(untrained_file):
    """Return a function that makes a recipe of few shallow layers, small and soon done."""

    def quick(**changes):
        fields = {
            "content_layers": {"relu2_1": 1},
            "style_layers": {"relu1_1": 1, "relu2_1": 1},
            "size": 32,
            "min_size": 0,
            "steps": 3,
            "precision": "float32",
            "device": "cpu",
            "weights": untrained_file,
        }
        return Recipe(**{**fields, **changes})

    return quick


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """No weights are on this machine, and none can be downloaded."""
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
