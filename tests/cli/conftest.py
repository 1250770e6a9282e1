import types

import numpy as np
import pytest

from napari_nst.io.image_files.write_image import write_image


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, so that tests name files as a user does."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    write_image("content.png", rng.random((72, 96, 3)))
    write_image("deep.tif", rng.random((72, 96, 3)), 16)
    write_image("grey.png", rng.random((72, 96)))
    write_image("clear.png", rng.random((72, 96, 4)))
    write_image("style.jpg", rng.random((80, 80, 3)))


@pytest.fixture
def engine(monkeypatch):
    """Replace the run by one without a network, and collect its jobs in `jobs`."""
    import torch

    from napari_nst.engine.iteration import Iteration

    state = types.SimpleNamespace(jobs=[], stop_after=None, error=None)

    def run(job, progress, steering, after):
        state.jobs.append(job)
        progress("downloading", 10, 100)
        progress("downloading", 100, 100)
        metadata = {
            "job": job.name, "recipe": job.recipe.to_dict(),
            "arguments": {k: v for k, v in job.arguments.items() if v is not None},
            "inputs": {role: dict(image.metadata) for role, image in job.images.items()},
        }  # fmt: skip
        has_alpha = job.content is not None and job.content.alpha is not None
        for step in range(1, job.recipe.steps + 1):
            if state.stop_after is not None and step > state.stop_after:
                raise state.error
            losses = {"total": 6.0, "content": 1.0, "style": 2.0, "tv": 3.0, "style/relu1_1": 2.0}
            yield Iteration(
                step=step, steps=job.recipe.steps, losses=losses, shape=(6, 8),
                seconds=step / 10, seconds_left=83.0, pixels=torch.full((1, 3, 6, 8), step / 256),
                alpha=torch.full((1, 1, 6, 8), 0.5) if has_alpha else None,
                is_grey=job.main_image.is_grey, full_shape=(6, 8), facts=metadata,
            )  # fmt: skip

    monkeypatch.setattr("napari_nst.engine.run.run.run", run)
    return state
