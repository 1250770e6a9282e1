"""Gram view: the Gram matrices of content, styles and picture at a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.inspect.display import displayable
from napari_nst.engine.inspect.feature_maps import check_size
from napari_nst.engine.inspect.loss_maps import read_picture, setup_at
from napari_nst.engine.job.job import ROLES, Job
from napari_nst.engine.losses import gram_matrix
from napari_nst.engine.objective.masks import mask_at
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.network import VGG19
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe.layer_names import canonical_layer

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, eq=False)
class GramView:
    """The Gram matrices of several images at one layer.

    Attributes
    ----------
    layer : str
        A layer of VGG-19.
    names : tuple of str
        The images' roles, such as ``content`` and ``style``, then ``picture``.
    matrices : ndarray
        float32 (N, C, C), one for each image: products of channels, averaged over the positions
        that count.
    distances : dict of str to float
        Name of each image but the last → |G − A| divided by the mean of |G| and |A|, with A the
        image's matrix and G the picture's. It is 0 for equal matrices.
    """

    layer: str
    names: tuple[str, ...]
    matrices: Array
    distances: dict[str, float]

    @property
    def shown(self) -> Array:
        """The matrices as pixels, (N, C, C) in [0, 1], all on one scale.

        Entries cover orders of magnitude, so their square roots are shown, with their signs, scaled
        by `displayable`. Channels are sorted by their energy, the diagonal, in the last image
        before the picture (a style, or else the content), the largest first. The order is the same
        for all matrices, so that differences between them can be seen.
        """
        order = np.argsort(-np.diagonal(self.matrices[-2]), kind="stable")
        ordered = self.matrices[:, order][:, :, order]
        return displayable(np.sign(ordered) * np.sqrt(np.abs(ordered)))


def gram_view(
    order: Job, picture: ArrayLike, layer: str, *, progress: Progress | None = None
) -> GramView:
    """Compare the Gram matrices of content, styles and picture at a layer.

    Content and styles have the size, the colours and the masks that the run has at the picture's
    scale. Each is measured as a whole: guides have no effect, and an inpainted region is compared
    together with its margin.

    Parameters
    ----------
    order, picture, progress
        As for `loss_maps`.
    layer : str
        Any layer of VGG-19, even one without a loss in the recipe.

    Raises
    ------
    TypeError, ValueError, NstError
        As `loss_maps`; also if an image is too small for the layer.
    """
    layer = canonical_layer(layer)
    pixels, scale = read_picture(order, picture)
    check_size(scale.shape, layer, order.recipe, "picture")
    for fit in order.fits(scale):
        check_size(fit.shape, layer, order.recipe, f"{ROLES[order.name][1]} at this scale")
    with explained_errors(order.recipe, order.scales), torch.no_grad():
        setup = setup_at(order, scale, [layer], progress)
        content = setup.content and setup.content.resized(scale.shape)
        inputs = [*([content] if content else []), *setup.styles_at(scale)]
        image = setup.image_of(to_tensor(pixels, setup.device), scale.shape)
        masked = MaskedImage(image, content.mask if content else None)
        matrices = [_gram(setup.target_network, one, layer) for one in inputs]
        matrices.append(_gram(setup.network, masked, layer))
    names = _names(order)
    of_inputs = dict(zip(names, matrices, strict=False))
    distances = gram_distances(of_inputs, dict.fromkeys(of_inputs, matrices[-1]))
    return GramView(layer, (*names, "picture"), torch.stack(matrices).cpu().numpy(), distances)


def gram_distances(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float]:
    """Return, for each name, |G − A| divided by the mean of |G| and |A|; 0 for equal matrices."""
    return {
        name: float((one[name] - other[name]).norm())
        / (float(one[name].norm() + other[name].norm()) / 2 or 1.0)
        for name in one
    }


def _names(job: Job) -> list[str]:
    """Return the roles of the content and the styles, numbered if there are several styles."""
    content, style = ROLES[job.name]
    numbers = [""] if len(job.styles) == 1 else [f" {i + 1}" for i in range(len(job.styles))]
    return [*([content] if job.content else []), *(style + number for number in numbers)]


def _gram(network: VGG19, image: MaskedImage, layer: str) -> Tensor:
    return gram_matrix(network(image.image)[layer], mask_at(image.mask, layer))[0]
