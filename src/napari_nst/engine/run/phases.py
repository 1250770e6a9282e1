"""The setup of each phase of a run: a phase has a recipe, and may have a network, of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.recipe import Recipe


class Setups:
    """Makes the setups of a run on a device, with its images on another device or the same."""

    def __init__(
        self,
        pretrained: PretrainedVGG,
        device: torch.device,
        dtype: torch.dtype,
        image_device: torch.device,
        check_cancelled: Callable[[], None],
    ) -> None:
        self.pretrained, self.device, self.dtype = pretrained, device, dtype
        self.image_device = image_device
        self.check_cancelled = check_cancelled

    def at(self, job: Job, scale: Scale, former: RunSetup | None = None) -> RunSetup:
        """Return the setup of a scale's phase, with the network of a former one if it suits."""
        job = job.in_phase(scale)
        if former is not None and _of_network(job.recipe) == _of_network(former.job.recipe):
            return RunSetup(job, former.network, self.image_device)
        return RunSetup(job, self._network(job.recipe), self.image_device)

    def _network(self, recipe: Recipe) -> VGG19:
        layers = network_layers(recipe)
        network = network_of(recipe, layers, self.pretrained, self.dtype).to(self.device)
        network.check_cancelled = self.check_cancelled
        return network


def _of_network(recipe: Recipe) -> tuple[list[str], str, bool]:
    """Return what a network depends on that can change during a run."""
    return network_layers(recipe), recipe.pooling, recipe.rescale_pooling
