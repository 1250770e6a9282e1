"""An order's images and recipe, put together: the targets of each scale, the start, the colours."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE
from napari_nst.engine.images import color_transfer as color
from napari_nst.engine.images.composite import Composite
from napari_nst.engine.images.convert import resize
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import layer_weights
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.from_recipe import (
    Features,
    WeightedLoss,
    content_losses,
    image_losses,
    style_losses,
)
from napari_nst.engine.objective.guided import guided_style_losses
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.optim.parametrization import Parametrization
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.initial_image import initial_image
from napari_nst.engine.run.resampling import resized_rows
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.features import MeasuredStyle, SeenStyle, features_by_tiles, grid_of
from napari_nst.engine.tiling.objective import TiledObjective, Watch
from napari_nst.engine.tiling.spans import Axis
from napari_nst.engine.vgg.network import VGG19


class RunSetup:
    """The parts of a run on its device.

    Parameters
    ----------
    order : Order
        What to do.
    network : VGG19
        Returns the layers of the recipe, padded as it says.
    device : torch.device
        Where the images go: the network's, or the host of tiles for it.

    Attributes
    ----------
    order, recipe, network, device
        As given.
    canvas : Canvas
        What the optimiser may change.
    shows_grey : bool
        Whether the picture has a single channel.
    surroundings : Surroundings or None
        What the run leaves as it is.
    alpha : Tensor or None
        The shown picture's, (1, 1, H, W), at the scale that the run is at.
    tile : int
        Longest side in pixels of what the network sees at a time, besides the overlap of tiles; 0
        for pictures and styles as wholes. The recipe's, until somebody sets another.
    processes : Processes
        Who divides the pictures; this one alone, until somebody says otherwise.
    shelf : Shelf
        Where what is as large as the picture lies; in memory, until somebody says otherwise.
    watch : callable or None
        What objectives call after each tile, where there is more than one.
    """

    def __init__(self, order: Job, network: VGG19, device: torch.device) -> None:
        self.order = order
        self._shape = order.scales[0].shape
        self.recipe = recipe = order.recipe
        self.network = network
        self.device = device
        # What is given has borders; only the picture to come shall tile.
        periodic = recipe.padding == "circular"
        self.target_network = network.with_padding("replicate") if periodic else network
        self.content = MaskedImage.of(order.content, device) if order.content else None
        self.styles = [MaskedImage.of(style, device) for style in order.styles]
        self.start = MaskedImage.of(order.start, device) if order.start else None
        wants_grey = order.main_image.is_grey if recipe.channels == "auto" else False
        self.shows_grey = wants_grey or recipe.channels == "grey"
        self.surroundings = Composite(order.keep_outside, device) if order.keep_outside else None
        self.alpha: Tensor | None = None
        self.tile = recipe.tile
        self.processes = ALONE
        self.shelf: Shelf = MEMORY
        self.watch: Watch | None = None
        self.colours: Tensor | None = None
        self._colours_here: Tensor | None = None
        self._take_colours()
        self.canvas = Parametrization(
            recipe.image_range, grey=self.shows_grey or recipe.color == "luminance"
        )

    def _take_colours(self) -> None:
        """Give all images the colours that the recipe wants them compared in (Gatys 2017)."""
        recipe, content = self.recipe, self.content
        if self.shows_grey or recipe.color == "luminance":
            if content is not None:
                self.colours = None if self.shows_grey else content.image
                self.content = content = _grey(content)
            self.styles = [_grey(style) for style in self.styles]
        if content is None or recipe.color == "style":
            return
        if recipe.color == "luminance" or self.shows_grey:
            self.styles = [_with_luminance_like(style, content) for style in self.styles]
        else:
            self.styles = [_coloured_like(style, content, recipe.color) for style in self.styles]

    def objective_at(self, scale: Scale) -> Objective:
        """Compute the targets of a scale, and what its pictures are shown with."""
        recipe, guides, bands = self.recipe, self.order.guides, self.bands_at(scale.shape)
        self._shape = scale.shape
        self._colours_here = None
        losses: dict[str, WeightedLoss] = {}
        with torch.no_grad():
            with self.processes.all_or_none():
                mask = self._mask_at(scale)
                features = self._features(scale)
                free, fixed = self._kept_at(scale, bands)
                styles = self.styles_at(scale)
                of_styles = [self._seen(style) for style in styles]
            if features is not None:
                losses = content_losses(recipe, features, mask, bands)
            if guides is not None and features is not None:
                losses |= guided_style_losses(
                    recipe, guides, scale.shape, mask, styles, self.order.fits(scale), of_styles
                )
            elif styles:
                losses |= style_losses(recipe, of_styles, [style.mask for style in styles], mask)
        # Resampling leaves [0, 1] by a rounding error, and whoever saves it would hear of it.
        self.alpha = None if mask is None else mask.clamp(0, 1)
        if self.surroundings is not None:
            self.alpha = self.surroundings.alpha
        seamless = self.surroundings is not None and self.surroundings.seamless
        seams = free if seamless else None
        on_image = image_losses(recipe, seams)
        kept = None if free is None or fixed is None else (bands.cut(free), fixed)
        objective = Objective(self.network, losses, on_image, kept)
        if self._is_tiled(scale.shape):
            return TiledObjective(objective, self.tile, self.watch, bands, self.shelf)
        return objective

    def _is_tiled(self, shape: tuple[int, int]) -> bool:
        return 0 < self.tile < max(shape) or self.processes.count > 1

    def bands_at(self, shape: tuple[int, int]) -> Bands:
        """Return the rows of a scale's pictures that belong to each process."""
        rows = Axis.of(shape[0], self.network.layers, self.network.padding)
        return Bands.of(rows, self.processes)

    def _features(self, scale: Scale) -> Features | None:
        """Return the content's features at the layers that keep it, of this process's rows."""
        network, content, shape = self.target_network, self.content, scale.shape
        if content is None:
            return None
        if self._is_tiled(shape):
            grid = grid_of(network, shape, self.tile, self.processes)
            (rows,) = grid.bands.own.reach  # what is given has borders
            seen = resized_rows(content.image, shape, rows, self.shelf)
            layers = layer_weights(self.recipe, "content")
            return features_by_tiles(network, seen, layers, grid, self.shelf)
        layers = layer_weights(self.recipe, "content")
        along = network.along(resize(content.image, shape))
        return {layer: features for layer, features in along if layer in layers}

    def _seen(self, style: MaskedImage) -> SeenStyle:
        if self.order.needs_only_moments or self._is_tiled(style.shape):
            return MeasuredStyle(self.target_network, style.image, self.tile, self.processes)
        features: Features = self.target_network(style.image)
        return features

    def styles_at(self, scale: Scale) -> list[MaskedImage]:
        """Return the styles as a scale compares them."""
        fits = self.order.fits(scale)
        return [style.fitted(fit) for style, fit in zip(self.styles, fits, strict=True)]

    def first_image(self, shape: tuple[int, int]) -> Tensor:
        """Return what the run starts from, the rows of this process."""
        return initial_image(
            self.recipe,
            shape,
            self.content,
            self.styles,
            self.start,
            grey=self.canvas.grey,
        )[:, :, self.bands_at(shape).own.core]

    @property
    def shows_one_channel(self) -> bool:
        """Whether the three channels of the shown picture are one."""
        kept = self.order.keep_outside
        return self.shows_grey and (kept is None or kept.picture.is_grey)

    @property
    def shows_image(self) -> bool:
        """Whether the run's image is shown as it is, and so can be shown in parts."""
        return self.colours is None and self.surroundings is None

    def shown(self, image: Tensor) -> Tensor:
        """Return the picture to show for an image of the run.

        It has the content's colours, and what the run keeps around it, if so.
        """
        if self.colours is not None:
            if self._colours_here is None:  # only who shows a picture needs them
                self._colours_here = self.shelf.resized(self.colours, self._shape)
            colours, grey = self._colours_here, image
            image = self.shelf.filled(
                colours.shape,
                lambda rows: color.with_luminance(colours[:, :, rows], grey[:, :1, rows]),
            )
        return image if self.surroundings is None else self.surroundings.around(image)

    def image_of(self, picture: Tensor) -> Tensor:
        """Return the image of the run that a picture is shown for: the reverse of `shown`."""
        if self.surroundings is not None:
            picture = resize(self.surroundings.within(picture), self._shape)
        return color.luminance(picture).expand(-1, 3, -1, -1) if self.canvas.grey else picture

    def _mask_at(self, scale: Scale) -> Tensor | None:
        """Return how much each pixel of the content counts."""
        if self.content is None or self.content.mask is None:
            return None
        return self.shelf.resized(self.content.mask, scale.shape, smooth=False)

    def _kept_at(self, scale: Scale, bands: Bands) -> tuple[Tensor | None, Tensor | None]:
        """Return which pixels are free, and what stands in the others of this process's rows."""
        if self.surroundings is None or self.content is None:
            return None, None
        free, fixed = self.surroundings.at(self.content.image, scale.shape)
        return free, fixed[:, :, bands.own.core]


def _grey(subject: MaskedImage) -> MaskedImage:
    """Return a subject in grey; one that is so already stays as it is, to the last bit."""
    if torch.equal(subject.image[:, :1].expand_as(subject.image), subject.image):
        return subject
    return MaskedImage(color.luminance(subject.image).expand(-1, 3, -1, -1), subject.mask)


def _with_luminance_like(style: MaskedImage, content: MaskedImage) -> MaskedImage:
    matched = color.match_luminance(
        style.image[:, :1], content.image[:, :1], mask=style.mask, reference_mask=content.mask
    )
    return MaskedImage(matched.expand(-1, 3, -1, -1), style.mask)


def _coloured_like(style: MaskedImage, content: MaskedImage, method: str) -> MaskedImage:
    matched = color.match_colors(
        style.image, content.image, method, mask=style.mask, reference_mask=content.mask
    )
    return MaskedImage(matched, style.mask)
