"""Objectives of jobs, in float64 on an untrained network."""

import pytest
import torch

from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import network_of


@pytest.fixture
def objective_of(untrained):
    """Return a function from a job and a tile to the objective of its last scale."""

    def make(job, tile=0):
        network = network_of(job.recipe, network_layers(job.recipe), untrained, torch.float64)
        return RunSetup(job, network, torch.device("cpu")).objective(job.scales[-1], tile)

    return make
