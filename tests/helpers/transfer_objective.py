"""The objective of a style transfer, put together by hand from the engine's parts."""

import torch

from napari_nst.engine.objective.from_recipe import (
    WholeStyle,
    content_losses,
    image_losses,
    style_losses,
)
from napari_nst.engine.objective.objective import Objective


def transfer_objective(recipe, network, content, styles):
    with torch.no_grad():
        of_content, of_styles = network(content), [WholeStyle(network(style)) for style in styles]
    losses = content_losses(recipe, of_content) | style_losses(recipe, of_styles)
    return Objective(network, losses, image_losses(recipe))
