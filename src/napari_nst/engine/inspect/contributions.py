"""Where a loss comes from: each part of an objective, spread over the pixels of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.objective.objective import Objective, layer_of
from napari_nst.recipe.layer_names import poolings_before


def contributions(
    objective: Objective, image: Tensor, layer: str | None = None
) -> dict[str, Tensor]:
    """Spread the parts of an objective over the pixels of an image.

    With g the gradient of a loss L by the features of its layer, position p is given
    L · ‖g_p‖² / Σ_q ‖g_q‖². A content loss is a sum of squared differences, so that this is the
    position's own share of it, exactly where a mask is 0 or 1. Statistics have no such shares;
    there it says how hard the loss pulls at each position. The total variation's gradient is by
    the pixels.

    Parameters
    ----------
    objective : Objective
        With its targets.
    image : Tensor
        (1, 3, H, W), as the run has it.
    layer : str, optional
        Leave out the parts at other layers, and those of the image itself.

    Returns
    -------
    dict of str to Tensor
        Name of the part → float64 (H, W), nowhere below 0, with the weighted part as its sum. What
        a position of the layer has is divided evenly among the pixels that it pools; an odd row or
        column that pooling leaves out has 0.
    """
    with torch.no_grad():
        image = objective.seen(image)
        features = objective.network(image)
    maps = {
        part: _on_pixels(_shares(loss, features[layer_of(part)]), layer_of(part), image)
        for part, loss in objective.on_features.items()
        if layer in (None, layer_of(part))
    }
    if layer is None:
        maps |= {part: _shares(loss, image) for part, loss in objective.on_image.items()}
    return maps


def _shares(loss: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return what each position (H', W') has of the loss of values (1, C, H', W')."""
    values = values.detach().requires_grad_()
    value = loss(values)
    (gradient,) = torch.autograd.grad(value, values)
    # On the processor: Apple's GPUs have no float64, and squares of small slopes need its range.
    pull = gradient[0].cpu().double().square().sum(dim=0)
    if not pull.any():
        # A loss at rest need not be 0; then it comes from nowhere in particular.
        pull = torch.ones_like(pull)
    return float(value.detach()) * pull / pull.sum()


def _on_pixels(shares: Tensor, layer: str, image: Tensor) -> Tensor:
    """Divide what each position of a layer has among the pixels of an image that it pools."""
    side = 2 ** poolings_before(layer)
    pixels = shares.repeat_interleave(side, 0).repeat_interleave(side, 1) / side**2
    height, width = image.shape[-2:]
    return functional.pad(pixels, (0, width - pixels.shape[1], 0, height - pixels.shape[0]))
