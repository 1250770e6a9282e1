"""VGG-19 as named layers: image → {layer: features}."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_nst.engine.job.layers import least_size
from napari_nst.engine.vgg.conv import Convolution
from napari_nst.engine.vgg.memory_saving import (
    NO_WRAP_AROUND,
    CheckCancelled,
    WrapAround,
    iter_features,
    layers_of,
    never_cancelled,
)
from napari_nst.engine.vgg.pooling import POOLINGS, pooling_module
from napari_nst.engine.vgg.weights import PretrainedVGG, load
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

PADDINGS = ("zeros", "replicate", "replicate_first", "reflect", "circular")


class VGG19(nn.Module):
    """The convolutional part of VGG-19 (Simonyan & Zisserman 2014), frozen, up to a layer.

    A conv layer's features are those before its ReLU; in torchvision's own network the ReLU works
    in place and overwrites them. The backward pass can run once for each forward pass. It raises
    an error if features that it needs were modified in place. The layers are computed in groups,
    without calling their modules: name a layer in `layers` to get its features, because a hook on
    a module inside the network is never called. Hooks on tensors work as everywhere in torch.

    Parameters
    ----------
    layers : iterable of str
        The layers to return, by any of their names. Nothing below the deepest one is computed.
    weights : str, Path or PretrainedVGG
        "gatys", the normalized VGG-19 of Gatys et al. 2016, whose features have a mean of about 1;
        "torchvision", ``VGG19_Weights.IMAGENET1K_V1``; "caffe", the original of Simonyan &
        Zisserman 2014; weights already loaded; or a file: a state dict (``.pth``, ``.pt``,
        ``.safetensors``), Keras's ``.h5``, or the normalized network as ``.pkl`` or ``.whl``. A
        file with torchvision's names (``features.0.weight``) is expected to need torchvision's
        input, a file with other names (``conv1_1.weight``) Caffe's. No code in a file is executed.
        A flavour that is not on this machine is downloaded.
    pooling : {"max", "average", "l2"}
        How each block of layers ends.
    padding : {"zeros", "replicate", "replicate_first", "reflect", "circular"}
        Padding of the convolutions; ``replicate_first`` is "replicate" at conv1_1 and "zeros" at
        the others.
    dtype : torch.dtype
        Number format of the convolutions; the input is normalized in float32.
    rescale_pooling : bool
        Multiply pooled features by `SIZE_OF_MAX`, so that they are about as large as with max
        pooling.
    network_input : {"own", "255"}
        ``own`` is the input that the weights were trained on; ``255`` is 0–255 minus the mean,
        whatever they were trained on.
    quick : bool
        Use Winograd's convolutions where they are faster, float32 on the CPU; they round more.

    Raises
    ------
    ValueError
        If a layer, pooling, padding, input, flavour or file does not exist, or `layers` is empty.
    NstError
        If weights cannot be downloaded or read; the message names the cure.
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
        for name, value, allowed in (
            ("pooling", pooling, POOLINGS),
            ("padding", padding, PADDINGS),
            ("network_input", network_input, ("own", "255")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; not {value!r}.")
        if not isinstance(weights, PretrainedVGG):
            weights = load(weights)
        self.flavour = weights.flavour
        self.padding = padding
        self.dtype = dtype
        self.quick = quick
        modules = _modules(self.layers[-1], pooling, rescale_pooling, padding)
        self.features = nn.Sequential(OrderedDict(modules))
        # Called before each layer, in the forward and in the backward pass.
        self.check_cancelled: CheckCancelled = never_cancelled
        self._load(weights, network_input)
        self._layers = layers_of(self.features, quick=quick)

    def with_padding(self, padding: str) -> VGG19:
        """Return the network with other padding, shared parameters and no Winograd kernels."""
        shared = {id(one): one for one in (*self.parameters(), self.check_cancelled)}
        other = copy.deepcopy(self, shared)
        other.padding = padding
        for name, module in other.features.named_children():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = _padding_mode(name, padding)  # type: ignore[assignment]
        other.quick = False
        other._layers = layers_of(other.features)
        return other

    def _load(self, weights: PretrainedVGG, network_input: str) -> None:
        """Use pretrained parameters, changed so that the network reads RGB in [0, 1]."""
        parameters = dict(weights.parameters)
        mean, std = list(weights.mean), list(weights.std)
        if weights.channel_order == "BGR":
            # Flip the first kernels once instead of every image.
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
        """The device of the parameters and features; images may be on another device."""
        return self.get_buffer("mean").device

    def kernel_bytes(self, pixels: int) -> int:
        """Return the bytes of all kernels, for both passes of an image of so many pixels."""
        return sum(
            layer.kernel_bytes(pixels >> 2 * poolings_before(name))
            for name, layer in self._layers.items()
            if isinstance(layer, Convolution)
        )

    def forward(self, image: Tensor, wrap_around: WrapAround = NO_WRAP_AROUND) -> dict[str, Tensor]:
        """Return the features of an image by layer; see `iter_features`."""
        return dict(self.iter_features(image, wrap_around))

    def iter_features(
        self,
        image: Tensor,
        wrap_around: WrapAround = NO_WRAP_AROUND,
        layers: Collection[str] | None = None,
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the layers, or some of them, shallow to deep, and their features of an image.

        The image is (N, 3, H, W), RGB in [0, 1]; features are (N, C, H', W') in the network's
        number format and can be differentiated once. Of a tile across the border of a periodic
        image, `wrap_around` is the row and the column at which the image starts again.
        """
        least = least_size(self.layers, self.padding)
        if min(image.shape[-2:]) < least:
            height, width = image.shape[-2:]
            raise ValueError(
                f"An image of {height} × {width} pixels is too small for {self.layers[-1]}; "
                f"both sides must be at least {least}."
            )
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        # A large image may be in host memory while its tiles are computed on the device.
        features = (image.to(mean.device) * self.input_scale - mean) / std
        features = features.to(dtype=self.dtype, memory_format=torch.channels_last)
        wanted = self.layers if layers is None else layers
        yield from iter_features(features, self._layers, wanted, wrap_around, self.check_cancelled)

    def extra_repr(self) -> str:
        """Describe the network in ``repr``."""
        return f"{self.flavour}, layers={', '.join(self.layers)}, padding={self.padding}"


def network_of(
    recipe: Recipe,
    layers: Iterable[str],
    weights: PretrainedVGG,
    dtype: torch.dtype = torch.float32,
    kind: type[VGG19] = VGG19,
) -> VGG19:
    """Return the network of a recipe, with these layers."""
    return kind(
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
    """Yield the modules up to the deepest layer by name, without memory for their parameters."""
    for name in LAYER_NAMES:
        if name.startswith("conv"):
            channels_out, channels_in = SHAPES[f"{name}.weight"][:2]
            mode: Any = _padding_mode(name, padding)
            convolution = nn.Conv2d(
                channels_in, channels_out, 3, padding=1, padding_mode=mode, device="meta"
            )
            yield name, convolution
        elif name.startswith("relu"):
            yield name, nn.ReLU()
        else:
            yield name, pooling_module(pooling, int(name[-1]), rescale=rescale_pooling)
        if name == deepest:
            return
