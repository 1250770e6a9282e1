"""The setup of each phase of a run: a phase has a recipe, and may have a network, of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_nst.engine.job.job import Job
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import PretrainedVGG


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
        self._check_targets(job)
        if former is not None and _of_network(job) == _of_network(former.job):
            return RunSetup(job, former.network, self.image_device)
        return RunSetup(job, self._network(job), self.image_device)

    def _check_targets(self, job: Job) -> None:
        for style in job.styles:
            if style.target and style.target.weights_sha256 != self.pretrained.sha256:
                raise ValueError(
                    "The style target was made with another network. Set `weights` to that one, or "
                    "make the target anew."
                )

    def _network(self, job: Job) -> VGG19:
        network = network_of(job.recipe, job.network_layers, self.pretrained, self.dtype)
        network.to(self.device)
        network.check_cancelled = self.check_cancelled
        return network


def same_objective(one: Job, other: Job) -> bool:
    """Whether the jobs of two phases, or before and after a change, have the same objective.

    Only the optimizer reads the learning rate.
    """
    return one.recipe.replace(learning_rate=other.recipe.learning_rate) == other.recipe


def _of_network(job: Job) -> tuple[list[str], str, bool]:
    """Return what a network depends on that can change during a run."""
    return job.network_layers, job.recipe.pooling, job.recipe.rescale_pooling
