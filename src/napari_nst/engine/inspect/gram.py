"""What a style loss compares, to look at: Gram matrices of content, styles and picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.inspect.feature_maps import assembled, check_room, placed
from napari_nst.engine.inspect.similarity import gram_distances
from napari_nst.engine.job.input_image import displayable
from napari_nst.engine.job.job import ROLES, Job
from napari_nst.engine.losses import gram_matrix
from napari_nst.engine.objective.masks import mask_at
from napari_nst.engine.run.explained import explained_errors
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
        Of VGG-19.
    names : tuple of str
        What the images are: roles as in a record, such as ``content`` and ``style``, then
        ``picture``.
    matrices : ndarray
        float32 (N, C, C), one for each: means over the positions that count of the products of
        channels.
    distances : dict of str to float
        For each name but the last, |G − A| over the mean of |G| and |A| between it and the
        picture: 0 for the same statistics.
    """

    layer: str
    names: tuple[str, ...]
    matrices: Array
    distances: dict[str, float]

    @property
    def shown(self) -> Array:
        """The matrices as pictures, (N, C, C) in [0, 1], all on one scale.

        Entries go over orders of magnitude, so these are their square roots, with their signs, as
        `displayable`. Channels are in the order of their energy, the diagonal, in the image
        before the last: the style, or else the content. The energetic ones stand first, and how
        two matrices differ shows in the same places.
        """
        order = np.argsort(-np.diagonal(self.matrices[-2]), kind="stable")
        ordered = self.matrices[:, order][:, :, order]
        return displayable(np.sign(ordered) * np.sqrt(np.abs(ordered)))


def gram_view(
    order: Job, picture: ArrayLike, layer: str, *, progress: Progress | None = None
) -> GramView:
    """Compare the Gram matrices of content, styles and picture at a layer.

    Content and styles are as the run has them at the picture's scale, with the colours that the
    recipe gives them and without what is transparent. They are taken as wholes: guides make no
    difference, and a region that is filled is compared with its margin.

    Parameters
    ----------
    order, picture, progress
        As for `loss_maps`.
    layer : str
        Any of VGG-19's, one of the recipe or not.

    Raises
    ------
    TypeError, ValueError, NstError
        As `loss_maps`; also if an image is too small for the layer.
    """
    layer = canonical_layer(layer)
    pixels, scale = placed(order, picture)
    check_room(scale.shape, layer, order.recipe, "picture")
    for fit in order.fits(scale):
        check_room(fit.shape, layer, order.recipe, f"{ROLES[order.name][1]} at this scale")
    with explained_errors(order.recipe, order.scales), torch.no_grad():
        assembly = assembled(order, scale, [layer], progress)
        content = assembly.content and assembly.content.resized(scale.shape)
        given = [*([content] if content else []), *assembly.styles_at(scale)]
        image = assembly.image_of(to_tensor(pixels, assembly.device))
        own = MaskedImage(image, content.mask if content else None)
        matrices = [_gram(assembly.target_network, one, layer) for one in given]
        matrices.append(_gram(assembly.network, own, layer))
    roles = _roles(order)
    of_given = dict(zip(roles, matrices, strict=False))
    distances = gram_distances(of_given, dict.fromkeys(of_given, matrices[-1]))
    return GramView(layer, (*roles, "picture"), torch.stack(matrices).cpu().numpy(), distances)


def _roles(order: Job) -> list[str]:
    """Return what the content and the styles are called."""
    content, style = ROLES[order.name]
    numbers = [""] if len(order.styles) == 1 else [f" {i + 1}" for i in range(len(order.styles))]
    return [*([content] if order.content else []), *(style + number for number in numbers)]


def _gram(network: VGG19, subject: MaskedImage, layer: str) -> torch.Tensor:
    features = network(subject.image)[layer]
    return gram_matrix(features, mask_at(subject.mask, layer))[0]
