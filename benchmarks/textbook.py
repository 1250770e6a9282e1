"""The textbook loop: style transfer as courses and articles write it, in plain PyTorch.

Our figures are compared with those of this loop: torchvision's VGG-19, float32, channels first,
in-place ReLU, zero padding, Gram matrices, `loss.backward()`, Adam on a normalised image. Formulas
and weights are those of the `udacity` recipe. The loop stops at the deepest layer that it needs;
the notebook of the Udacity course runs the whole network.

The same loop can minimise the objective of our default recipe, implemented here in plain
operations, so that the times to one loss can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, which normalise the loop's image whatever the network's input is."""

LEARNING_RATE = 0.003
"""The Udacity course's, for the normalised image."""

TUNED_LEARNING_RATE = 0.02
"""The rate at which the loss of this loop falls fastest."""

CONTENT_WEIGHT, STYLE_WEIGHT = 1.0, 1e6
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = {"relu1_1": 1.0, "relu2_1": 0.8, "relu3_1": 0.5, "relu4_1": 0.3, "relu5_1": 0.1}

Objective = Callable[[Tensor], Tensor]
"""Image (1, 3, H, W) in [0, 1] → its loss."""


class Network:
    """torchvision's convolutions with given weights: image in [0, 1] → features by layer."""

    def __init__(
        self, weights: PretrainedVGG, device: torch.device, padding: str = "zeros"
    ) -> None:
        # `vgg19().features`, without the classifier beside it, which is 500 MB.
        self.modules = make_layers(cfgs["E"])
        parameters = dict(weights.parameters)
        mean, std = torch.tensor(weights.mean), torch.tensor(weights.std)
        if weights.channel_order == "BGR":
            parameters["conv1_1.weight"] = parameters["conv1_1.weight"].flip(1)
            mean, std = mean.flip(0), std.flip(0)
        for name, module in zip(LAYER_NAMES, self.modules, strict=True):
            if isinstance(module, nn.Conv2d):
                module.load_state_dict({k: parameters[f"{name}.{k}"] for k in ("weight", "bias")})
                module.padding_mode = padding  # type: ignore[assignment]
        self.modules.requires_grad_(False).to(device)
        self.scale = weights.input_scale
        self.mean, self.std = mean.view(1, 3, 1, 1).to(device), std.view(1, 3, 1, 1).to(device)

    def features(self, image: Tensor, layers: Mapping[str, float]) -> dict[str, Tensor]:
        """Return the features of an image (1, 3, H, W) at some layers."""
        found: dict[str, Tensor] = {}
        x = (image * self.scale - self.mean) / self.std
        for name, module in zip(LAYER_NAMES, self.modules, strict=True):
            x = module(x)
            if name in layers:
                found[name] = x
            if len(found) == len(layers):
                break
        return found


def gram_matrix(features: Tensor) -> Tensor:
    """Return the sums over positions of the products of channels, (C, C)."""
    _, channels, height, width = features.shape
    flat = features.view(channels, height * width)
    return torch.mm(flat, flat.t())


def udacity_objective(network: Network, content: Tensor, style: Tensor) -> Objective:
    """Return the Udacity course's objective; content and style (1, 3, H, W) have one size."""
    layers = {**STYLE_LAYERS, CONTENT_LAYER: 1.0}
    with torch.no_grad():
        of_content = network.features(content, layers)
        of_style = {n: gram_matrix(f) for n, f in network.features(style, layers).items()}

    def loss(image: Tensor) -> Tensor:
        features = network.features(image, layers)
        content_loss = torch.mean((features[CONTENT_LAYER] - of_content[CONTENT_LAYER]) ** 2)
        style_loss = torch.zeros((), device=image.device)
        for name, weight in STYLE_LAYERS.items():
            of_layer = weight * torch.mean((gram_matrix(features[name]) - of_style[name]) ** 2)
            style_loss = style_loss + of_layer / features[name][0].numel()
        return CONTENT_WEIGHT * content_loss + STYLE_WEIGHT * style_loss

    return loss


def default_objective(
    network: Network, content: Tensor, style: Tensor, recipe: Recipe
) -> Objective:
    """Return our default recipe's objective in plain operations, for an image of one scale.

    Parameters
    ----------
    network : Network
        Padded as the recipe has it.
    content, style : Tensor
        (1, 3, H, W), of one size.
    recipe : Recipe
        For its layers and weights.

    Raises
    ------
    ValueError
        If its losses are of other kinds than are written down here.
    """
    kinds = (recipe.style_loss, recipe.style_norm, recipe.content_norm, recipe.tv_loss)
    rest = (recipe.tv_exponent, recipe.pooling, recipe.network_input, recipe.padding)
    if (kinds, rest) != (
        ("mean_covariance", "relative", "relative", "mean"),
        (2.0, "max", "own", "replicate"),
    ):
        raise ValueError(f"The textbook knows no objective of {kinds} with {rest}; teach it.")
    layers = {**recipe.style_layers, **recipe.content_layers}
    with torch.no_grad():
        of_content = network.features(content, layers)
        of_style = {n: mean_and_covariance(f) for n, f in network.features(style, layers).items()}

    def loss(image: Tensor) -> Tensor:
        features = network.features(image, layers)
        total = torch.zeros((), device=image.device)
        for name, weight in recipe.content_layers.items():
            total = total + recipe.content_weight * weight * relative(
                features[name], of_content[name]
            )
        for name, weight in recipe.style_layers.items():
            pairs = zip(mean_and_covariance(features[name]), of_style[name], strict=True)
            halves = sum(relative(found, wanted) for found, wanted in pairs)
            total = total + recipe.style_weight * weight * halves / 2
        down, across = image.diff(dim=2), image.diff(dim=3)
        return total + recipe.tv_weight * (torch.mean(down**2) + torch.mean(across**2))

    return loss


def relative(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared error relative to what is wanted."""
    return torch.mean((found - wanted) ** 2) / torch.mean(wanted**2)


def mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (C,) of features over positions, and their covariance (C, C)."""
    flat = features.view(features.shape[1], -1)
    mean = flat.mean(dim=1)
    return mean, torch.mm(flat, flat.t()) / flat.shape[1] - torch.outer(mean, mean)


def descend(
    objective: Objective, content: Tensor, rate: float = LEARNING_RATE
) -> Iterator[tuple[float, Tensor]]:
    """Yield the loss before each step of Adam, from the content on, and the image after it."""
    mean = torch.tensor(MEAN, device=content.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=content.device).view(1, 3, 1, 1)
    target = ((content - mean) / std).requires_grad_()
    optimizer = torch.optim.Adam([target], lr=rate)
    while True:
        total = objective(target * std + mean)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield total.item(), target.detach() * std + mean
