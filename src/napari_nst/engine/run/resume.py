"""How a run continues from a saved state, and why the rest may differ from the original run."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import torch

from napari_nst.engine.checkpoint.codec import RunState
from napari_nst.engine.device import describe_device
from napari_nst.engine.optim.image_optimizer import ImageOptimizer
from napari_nst.engine.optim.optimizer import OPTIMIZERS
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.tiling.budget import AdaptiveObjective, TilePlanner
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.recipe import Recipe
from napari_nst.recipe.convert_weights import FLAVOURS


def restored(state: RunState, objective: AdaptiveObjective, setup: RunSetup) -> ImageOptimizer:
    """Return the optimizer of a state; also restore the state of its objective."""
    recipe = setup.job.recipe
    try:
        objective.load_state(state.objective)
        return OPTIMIZERS[recipe.optimizer].from_state(
            recipe, objective, state.optimizer, grey=setup.grey, device=setup.device
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _does_not_fit() from error


def machine(
    pretrained: PretrainedVGG, device: torch.device, dtype: torch.dtype
) -> dict[str, str | int]:
    """Return what the last bits of a result depend on, besides the job."""
    return {
        "weights": pretrained.sha256,
        "device": describe_device(device),
        "precision": str(dtype).removeprefix("torch."),
        "CPU threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "napari-nst": version("napari-nst"),
    }


def differences(
    state: RunState, own: dict[str, str | int], planner: TilePlanner
) -> dict[str, list[str]]:
    """Plan the tiles as in a state; tell the user and return what has changed since it was saved.

    Raises ValueError if the network has changed.
    """
    if own["weights"] != state.machine.get("weights"):
        raise ValueError(
            f"{state.weights} is another network than when the run was interrupted; restore the "
            "former file."
        )
    changed = [
        f"{name} was {state.machine.get(name)} and is {value}"
        for name, value in own.items()
        if value != state.machine.get(name)
    ]
    try:
        if not planner.load_state(state.planner, state.job):
            changed.append("less memory is free")
    except (LookupError, TypeError) as error:
        raise _does_not_fit() from error
    if not changed:
        return {}
    planner.tell(
        "The rest of the run may differ by rounding errors from an uninterrupted run: "
        f"{', '.join(changed)}."
    )
    return {"changed": changed}


def _does_not_fit() -> ValueError:
    return ValueError(
        "The parts of the state do not fit together, so the run cannot be resumed; discard it."
    )


def absolute_weights(recipe: Recipe) -> str:
    """Return a recipe's flavour, or the absolute path of its weights."""
    if recipe.weights in FLAVOURS:
        return recipe.weights
    return str(Path(recipe.weights).expanduser().absolute())
