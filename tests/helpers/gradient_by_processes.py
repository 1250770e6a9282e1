"""What each of several processes runs in test_processes.py: a gradient, and a few steps."""

import sys

import torch
from torch.nn import functional

from napari_nst.engine import distributed as processes
from napari_nst.engine.losses import Exemplar, MeanCovarianceLoss
from napari_nst.engine.objective.from_recipe import WeightedLoss, content_losses, image_losses
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.optim.optimizer import OPTIMIZERS
from napari_nst.engine.tiling.features import features_by_tiles
from napari_nst.engine.tiling.grid import Grid
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.network import VGG19
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.recipe import Recipe

TILE = 160


def untrained():
    generator = torch.Generator().manual_seed(0)
    parameters = {
        name: torch.randn(shape, generator=generator) * (2 / max(1, sum(shape[1:]) * 9)) ** 0.5
        for name, shape in SHAPES.items()
    }
    return PretrainedVGG(
        "caffe", parameters, sha256="", channel_order="RGB", input_scale=1.0,
        mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
    )  # fmt: skip


def objective(recipe, ours):
    network = VGG19(["relu1_1", "relu2_1", "relu2_2"], untrained(), padding=recipe.padding)
    generator = torch.Generator().manual_seed(1)
    content = torch.rand(1, 3, 300, 200, generator=generator)
    style = functional.avg_pool2d(torch.rand(1, 3, 180, 180, generator=generator), 3)
    grid = Grid.of((300, 200), TILE, network.layers, network.padding, ours)
    bands = grid.bands
    of_content = features_by_tiles(network, bands.around(content), ["relu2_2"], grid)
    with torch.no_grad():
        of_style = network(style)
    losses = content_losses(recipe, of_content, bands=bands)
    for layer in ("relu1_1", "relu2_1"):
        losses[f"style/{layer}"] = WeightedLoss(
            MeanCovarianceLoss([Exemplar(of_style[layer])], norm="relative"), 2.0
        )
    made = Objective(network, losses, image_losses(recipe))
    return TiledObjective(made, TILE, bands=bands), content


def main(path):
    recipe = Recipe(
        tv_weight=0.1, content_layers={"relu2_2": 1.0}, device="cpu", precision="float32"
    )
    with processes.joined("cpu") as ours:
        tiled, image = objective(recipe, ours)
        leaf = image.clone().requires_grad_()
        parts = tiled(leaf)
        torch.stack(list(parts.values())).sum().backward()
        stepper = OPTIMIZERS["lbfgs"](recipe)
        stepper.begin(image, tiled)
        losses = [stepper.step() for _ in range(3)]
        found = {
            "parts": {name: float(part) for name, part in parts.items()},
            "gradient": leaf.grad,
            "losses": losses,
            "pixels": stepper.current,
            "beats": len(tiled_beats(tiled, image)),
        }
        torch.save(found, f"{path}.{ours.rank}.of.{ours.count}")


def tiled_beats(tiled, image):
    """Return which tiles this process alone computes."""
    seen = []
    tiled.watch = lambda done, total, window, pixels: seen.append((done, total))
    tiled(image)
    return seen


if __name__ == "__main__":
    main(sys.argv[1])
