"""VGG-19 as named layers: image → {layer: features}."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.job.layers import least_size
from napari_nst.engine.vgg.conv import Convolution
from napari_nst.engine.vgg.passes import features_along, stages_of
from napari_nst.engine.vgg.pooling import POOLINGS
from napari_nst.engine.vgg.pooling import pooling as pooling_module
from napari_nst.engine.vgg.stages import NO_JOINS, Joins
from napari_nst.engine.vgg.weights import PretrainedVGG, load
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

PADDINGS = ("zeros", "replicate", "replicate_first", "reflect", "circular")


class VGG19(nn.Module):
    """The convolutional part of VGG-19 (Simonyan & Zisserman 2014), frozen, up to a layer.

    Rectifiers do not work in place, so that conv layers keep their values: torchvision's own
    network turns them into relu layers behind one's back.

    Parameters
    ----------
    layers : iterable of str
        Which layers to return, by any of their names. Nothing deeper than the deepest is computed.
    weights : str, Path or PretrainedVGG
        Flavour of the network, a file, or weights already loaded.
    pooling : {"max", "average", "l2"}
        How each block's features are halved.
    padding : {"zeros", "replicate", "replicate_first", "reflect", "circular"}
        What every convolution sees beyond the border; ``replicate_first`` replicates at conv1_1
        and has zeros after it.
    dtype : torch.dtype
        Number format of the convolutions; the input is normalised in float32 before.
    rescale_pooling : bool
        Scale pooled features by `SIZE_OF_MAX`, to the size that max pooling would give them.
    network_input : {"own", "255"}
        ``own`` is the input that the weights were trained on; ``255`` makes it 0–255 less the mean
        whatever they were trained on.
    quick : bool
        Multiply less where processors compute in float32, and round a little more: see `Winograd`.

    Attributes
    ----------
    pulse : callable
        Called before each layer, on the way back too; what it raises ends the pass.

    Raises
    ------
    ValueError
        If a layer, pooling or padding does not exist, or no layer is asked for.
    """

    def __init__(
        self,
        layers: Iterable[str],
        weights: str | Path | PretrainedVGG = "gatys",
        pooling: str = "max",
        padding: str = "zeros",
        dtype: torch.dtype = torch.float32,
        rescale_pooling: bool = False,
        network_input: str = "own",
        quick: bool = False,
    ) -> None:
        super().__init__()
        self.layers = sorted({canonical_layer(name) for name in layers}, key=LAYER_NAMES.index)
        if not self.layers:
            raise ValueError("layers is empty; name at least one, such as relu4_2.")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}; not {pooling!r}.")
        if padding not in PADDINGS:
            raise ValueError(f"padding must be one of {', '.join(PADDINGS)}; not {padding!r}.")
        if network_input not in ("own", "255"):
            raise ValueError(f"network_input must be own or 255; not {network_input!r}.")
        if not isinstance(weights, PretrainedVGG):
            weights = load(weights)
        self.flavour = weights.flavour
        self.padding = padding
        self.dtype = dtype
        self.quick = quick
        modules = _modules(self.layers[-1], pooling, rescale_pooling, padding)
        self.features = nn.Sequential(OrderedDict(modules))
        self.pulse: Pulse = go_on
        self._adopt(weights, network_input)
        self._stages = stages_of(self.features, quick=self.quick)

    def with_padding(self, padding: str) -> VGG19:
        """Return the same network with other padding; the parameters are shared, not copied.

        It is not `quick`, whose kernels would be there twice.
        """
        shared = {id(one): one for one in (*self.parameters(), self.pulse)}
        other = copy.deepcopy(self, shared)
        other.padding = padding
        for name, module in other.features.named_children():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = _padding_mode(name, padding)  # type: ignore[assignment]
        other.quick = False
        other._stages = stages_of(other.features)
        return other

    def _adopt(self, weights: PretrainedVGG, network_input: str) -> None:
        """Take over pretrained parameters, with the network turned to read RGB in [0, 1]."""
        parameters = dict(weights.parameters)
        mean, std = list(weights.mean), list(weights.std)
        if weights.channel_order == "BGR":
            # Flipping the first kernels once saves flipping the image at each step.
            parameters["conv1_1.weight"] = parameters["conv1_1.weight"].flip(1)
            mean, std = mean[::-1], std[::-1]
        wanted = {name: parameters[name] for name, _ in self.features.named_parameters()}
        self.features.load_state_dict(wanted, assign=True)
        self.features.to(dtype=self.dtype).to(memory_format=torch.channels_last)
        self.requires_grad_(False).eval()
        self.input_scale = weights.input_scale
        if network_input == "255":
            mean = [value / self.input_scale * 255 for value in mean]
            std, self.input_scale = [1.0, 1.0, 1.0], 255.0
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where it computes, and where its features are; images may come from another."""
        return self.get_buffer("mean").device

    def kernel_bytes(self, pixels: int) -> int:
        """Return what the kernels take, those of the way back too, for an image of some pixels."""
        return sum(
            stage.bytes_for(pixels >> 2 * poolings_before(name))
            for name, stage in self._stages.items()
            if isinstance(stage, Convolution)
        )

    def forward(self, image: Tensor, joins: Joins = NO_JOINS) -> dict[str, Tensor]:
        """Return the features of an image at each layer; as `along`."""
        return dict(self.along(image, joins))

    def along(self, image: Tensor, joins: Joins = NO_JOINS) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer and the features of an image there; differentiable once.

        Parameters
        ----------
        image : Tensor
            (N, 3, H, W), RGB in [0, 1].
        joins : tuple of int or None
            For a part of a periodic image, cut out across its border: the row and the column where
            the whole begins anew. See `features_along`.

        Yields
        ------
        layer : str
            Shallow to deep.
        features : Tensor
            (N, C, H', W') in the network's number format.

        Raises
        ------
        ValueError
            If the image is too small for the deepest layer; the message gives the least size.
        """
        least = least_size(self.layers, self.padding)
        if min(image.shape[-2:]) < least:
            height, width = image.shape[-2:]
            raise ValueError(
                f"An image of {height} × {width} pixels is too small for {self.layers[-1]}; "
                f"both sides must be at least {least}."
            )
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        # A large picture may lie on the host, of which the network sees tiles.
        features = (image.to(mean.device) * self.input_scale - mean) / std
        features = features.to(dtype=self.dtype, memory_format=torch.channels_last)
        yield from features_along(features, self._stages, self.layers, joins, self.pulse)

    def extra_repr(self) -> str:
        """Say which network this is."""
        return f"{self.flavour}, layers={', '.join(self.layers)}, padding={self.padding}"


def network_of(
    recipe: Recipe,
    layers: Iterable[str],
    weights: PretrainedVGG,
    dtype: torch.dtype = torch.float32,
) -> VGG19:
    """Return the network as a recipe has it, with these layers."""
    return VGG19(
        layers,
        weights=weights,
        pooling=recipe.pooling,
        padding=recipe.padding,
        dtype=dtype,
        rescale_pooling=recipe.rescale_pooling,
        network_input=recipe.network_input,
        quick=recipe.precision == "auto",
    )


def _padding_mode(layer: str, padding: str) -> str:
    if padding == "replicate_first":
        return "replicate" if layer == "conv1_1" else "zeros"
    return padding


def _modules(
    deepest: str, pooling: str, rescale_pooling: bool, padding: str
) -> Iterator[tuple[str, nn.Module]]:
    """Name torchvision's modules up to the deepest layer wanted, with our pooling and padding."""
    # On the meta device nothing is allocated, and no random numbers are drawn, for parameters
    # that the pretrained ones replace at once.
    with torch.device("meta"):
        modules = make_layers(cfgs["E"])
    for name, module in zip(LAYER_NAMES, modules, strict=True):
        if isinstance(module, nn.Conv2d):
            yield (
                name,
                nn.Conv2d(
                    module.in_channels,
                    module.out_channels,
                    kernel_size=3,
                    padding=1,
                    padding_mode=_padding_mode(name, padding),  # type: ignore[arg-type]
                    device="meta",
                ),
            )
        elif isinstance(module, nn.ReLU):
            yield name, nn.ReLU(inplace=False)
        else:
            yield name, pooling_module(pooling, int(name[-1]), rescale=rescale_pooling)
        if name == deepest:
            return
