"""What each of several processes runs in test_distributed.py: a gradient, and a few steps."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from napari_nst.engine.distributed import joined
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.optim.optimizer import OPTIMIZERS
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import network_of
from napari_nst.engine.vgg.weights import load
from tests.helpers import runs_by_processes

TILE = 160


def main(path, weights):
    recipe = runs_by_processes.recipe(tv_weight=0.1, weights=weights)
    job = order_to_stylize(runs_by_processes.CONTENT, runs_by_processes.STYLE, recipe)
    network = network_of(recipe, network_layers(recipe), load(recipe.weights))
    setup, scale = RunSetup(job, network, torch.device("cpu")), job.scales[-1]
    image = torch.rand(1, 3, *scale.shape, generator=torch.Generator().manual_seed(1))
    with joined("cpu") as processes:
        tiles = []
        tiled = setup.objective(scale, TILE, processes, lambda *tile: tiles.append(tile))
        parts, gradient = tiled.value_and_grad(image)
        computed = len(tiles)
        optimizer = OPTIMIZERS["lbfgs"](recipe, image, tiled)
        losses = [optimizer.step() for _ in range(3)]
        found = {
            "parts": parts,
            "gradient": gradient,
            "losses": losses,
            "pixels": optimizer.current,
            "tiles": computed,
        }
        torch.save(found, f"{path}.{processes.rank}.of.{processes.count}")


if __name__ == "__main__":
    main(*sys.argv[1:])
