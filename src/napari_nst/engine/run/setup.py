"""The images of a job on the device, and what they are compared with at each scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.images.color_transfer import (
    luminance,
    match_colors,
    match_luminance,
    with_luminance,
)
from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.images.masked_image import Composite, MaskedImage
from napari_nst.engine.images.style_chroma import with_style_chroma
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import has_style_of_image, layer_weights, layers_of, shares_of
from napari_nst.engine.job.own_loss import OwnLoss, layers_of_own
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_target import StyleTarget
from napari_nst.engine.objective.from_recipe import (
    RotatedStyle,
    StyleFeatures,
    WeightedLoss,
    WholeStyle,
    content_losses,
    image_losses,
    named_as_term,
    style_loss_of_image,
    style_losses,
)
from napari_nst.engine.objective.guided import guided_style_losses
from napari_nst.engine.objective.jitter import Jitter, Shift, moved
from napari_nst.engine.objective.measured_style import MeasuredStyle
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.objective.own import OwnComparison
from napari_nst.engine.optim.bases import correlated
from napari_nst.engine.tiling.features import TiledStyle, features_by_tiles
from napari_nst.engine.tiling.objective import OnTile, TiledObjective
from napari_nst.engine.vgg.memory_saving import NO_WRAP_AROUND
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import SAMPLED_LOSSES

MEAN_COLOUR = (0.485, 0.456, 0.406)
"""The mean of ImageNet's photographs, RGB, which every flavour of the network maps to 0."""


class RunSetup:
    """A job, its images in the colours in which they are compared, and its network.

    `device` stores the images: the network's, or the host of tiles for it.
    """

    def __init__(self, job: Job, network: VGG19, device: torch.device) -> None:
        recipe = job.recipe
        self.job = job
        self.network = network
        self.device = device
        # Only the generated image is periodic; the given ones have borders.
        periodic = recipe.padding == "circular"
        self.target_network = network.with_padding("replicate") if periodic else network
        self.grey = job.works_in_grey
        """Whether the three channels of the run's image are equal."""
        self.content = MaskedImage.of(job.content, device) if job.content else None
        self.styles = [MaskedImage.of(style, device) for style in job.styles]
        self.start = MaskedImage.of(job.start, device) if job.start else None
        self.composite = Composite(job.keep_outside, device) if job.keep_outside else None
        self._colours: Tensor | None = None  # of the content, if the run works on luminance alone
        self._resized_colours: Tensor | None = None
        if self.grey:
            if self.content is not None:
                self._colours = None if job.shows_grey else self.content.image
                self.content = _grey(self.content)
            self.styles = [_grey(style) for style in self.styles]
        if self.content is not None and recipe.color != "style":
            self.styles = [
                _with_luminance_of(style, self.content)
                if self.grey
                else _with_colours_of(style, self.content, recipe.color)
                for style in self.styles
            ]

    def objective(
        self,
        scale: Scale,
        tile: int = 0,
        processes: Processes = ALONE,
        on_tile: OnTile | None = None,
    ) -> Objective:
        """Return the objective of a scale, with its targets; in tiles unless `tile` is 0."""
        is_tiled = self._is_tiled(scale.shape, tile, processes)
        with torch.no_grad():
            losses = self._feature_losses(scale, tile, processes)
            fixed = None
            if self.composite is not None and self.content is not None:
                fixed = self.composite.at(self.content.image, scale.shape)
            seam_of = fixed[0] if fixed and self.composite and self.composite.seamless else None
            on_image = image_losses(self.job.recipe, seam_of)
            for term in filter(has_style_of_image, self.job.recipe.with_terms()):
                found = style_loss_of_image(term, self.styles_at(scale))
                on_image |= named_as_term(term, found, on_image)
            for own in self.job.own_losses:
                found = {
                    part: WeightedLoss(
                        OwnComparison(own, self._references(own, where, scale)), own.weight
                    )
                    for part, where in own.parts.items()
                }
                (losses if own.layers else on_image).update(found)
        recipe = self.job.recipe
        jitter = Jitter(
            recipe.jitter,
            lambda shift: self._content_features(scale, tile, processes, shift),
            periodic=recipe.padding == "circular",
        )
        content = None if self.content is None else resize(self.content.image, scale.shape)
        if not is_tiled:
            return Objective(self.network, losses, on_image, fixed, jitter=jitter, content=content)
        return TiledObjective(
            self.network, losses, on_image, fixed,
            tile=tile, processes=processes, on_tile=on_tile, jitter=jitter, content=content,
        )  # fmt: skip

    def _feature_losses(
        self, scale: Scale, tile: int, processes: Processes
    ) -> dict[str, WeightedLoss]:
        """Return the losses of the recipe itself, then those of its terms."""
        mask = self._mask_at(scale.shape)
        content = self._content_features(scale, tile, processes)
        styles = self.styles_at(scale) if layers_of(self.job.recipe, "style") else []
        of_styles = [
            self.style_features(style, tile, processes)
            if given.target is None
            else self._measured(given.target, scale)
            for given, style in zip(self.job.styles, styles, strict=bool(styles))
        ]
        losses: dict[str, WeightedLoss] = {}
        for index, recipe in enumerate(self.job.recipe.with_terms()):
            found = content_losses(recipe, content, mask)
            if styles and layer_weights(recipe, "style"):
                found |= self._style_losses(recipe, scale, mask, styles, of_styles)
            losses |= named_as_term(recipe, found, losses) if index else found
        return losses

    def _style_losses(
        self,
        recipe: Recipe,
        scale: Scale,
        mask: Tensor | None,
        styles: Sequence[MaskedImage],
        of_styles: Sequence[StyleFeatures],
    ) -> dict[str, WeightedLoss]:
        guides = self.job.guides
        if guides is None:
            return style_losses(recipe, of_styles, [style.mask for style in styles], mask)
        fits = self.job.fits(scale)
        return guided_style_losses(recipe, guides, scale.shape, mask, styles, fits, of_styles)

    def _content_features(
        self, scale: Scale, tile: int, processes: Processes, shift: Shift = (0, 0)
    ) -> Mapping[str, Tensor]:
        """Return the content's features at its layers, if it is shifted; none for a texture."""
        own = layers_of_own(self.job.own_losses, "content") if self.job.recipe.jitter else []
        layers = list(dict.fromkeys([*layers_of(self.job.recipe, "content"), *own]))
        if self.content is None or not layers:
            return {}
        image = moved(resize(self.content.image, scale.shape), shift)
        if self._is_tiled(scale.shape, tile, processes):
            with processes.all_or_none():
                return features_by_tiles(self.target_network, image, layers, tile)
        return dict(self.target_network.iter_features(image, NO_WRAP_AROUND, layers))

    def _references(self, own: OwnLoss, where: str, scale: Scale) -> list[tuple[float, Tensor]]:
        """Return what an own loss makes its targets of, a layer's features or images, by share."""
        if own.target is None:
            return []
        if own.of == "content":
            assert self.content is not None
            images = [(1.0, resize(self.content.image, scale.shape))]
        else:
            shares = shares_of(self.job.recipe, len(self.styles))
            styles = (style.image for style in self.styles_at(scale))
            images = list(zip(shares, styles, strict=True))
        if not own.layers:
            return images
        read = partial(self.target_network.iter_features, layers=[where])
        return [(share, dict(read(image))[where]) for share, image in images]

    def _measured(self, target: StyleTarget, scale: Scale) -> MeasuredStyle:
        exact, device = self.network.dtype != torch.bfloat16, self.network.device
        return MeasuredStyle(
            target, scale.longest, device, exact=exact, rotated=self._has_rotations
        )

    @property
    def _has_rotations(self) -> bool:
        recipes = [one for one in self.job.recipe.with_terms() if one.has_style]
        return any(one.style_rotations and one.style_loss in SAMPLED_LOSSES for one in recipes)

    def style_features(
        self, style: MaskedImage, tile: int = 0, processes: Processes = ALONE
    ) -> StyleFeatures:
        """Return the features of a style, or of its rotations by 90° too."""
        if not self._has_rotations:
            return self._features_of(style.image, tile, processes)
        images = [torch.rot90(style.image, turns, (2, 3)) for turns in range(4)]
        return RotatedStyle([self._features_of(one, tile, processes) for one in images])

    def _features_of(self, image: Tensor, tile: int, processes: Processes) -> StyleFeatures:
        layers = layers_of(self.job.recipe, "style")
        shape = (image.shape[2], image.shape[3])
        if self.job.needs_no_style_features or self._is_tiled(shape, tile, processes):
            return TiledStyle(self.target_network, image, layers, tile, processes)
        return WholeStyle(dict(self.target_network.iter_features(image, NO_WRAP_AROUND, layers)))

    @staticmethod
    def _is_tiled(shape: tuple[int, int], tile: int, processes: Processes) -> bool:
        return 0 < tile < max(shape) or processes.count > 1

    def styles_at(self, scale: Scale) -> list[MaskedImage]:
        """Return the styles, resized for a scale; of a style target, pixels at that scale."""
        fits = self.job.fits(scale)
        return [
            style.fitted(fit)
            if given.target is None
            else MaskedImage(to_tensor(given.target.pixels(scale.longest), self.device))
            for given, style, fit in zip(self.job.styles, self.styles, fits, strict=True)
        ]

    def initial_image(self, shape: tuple[int, int]) -> Tensor:
        """Return the image that the run starts from, (1, 3, H, W)."""
        return initial_image(
            self.job.recipe, shape, self.content, self.styles, self.start, grey=self.grey
        )

    def alpha_at(self, scale: Scale) -> Tensor | None:
        """Return the alpha channel of the shown image, (1, 1, H, W), if there is one."""
        if self.composite is not None:
            return self.composite.alpha
        mask, content = self._mask_at(scale.shape), self.job.content
        if mask is None or content is None or content.alpha is None:
            return None
        # Resampling exceeds [0, 1] by a rounding error, which image writers refuse.
        return mask.clamp(0, 1) * float(content.alpha.max())

    @property
    def shows_one_channel(self) -> bool:
        """Whether the three channels of the shown image are equal."""
        keep = self.job.keep_outside
        return self.job.shows_grey and (keep is None or keep.picture.is_grey)

    @property
    def shows_image(self) -> bool:
        """Whether the run's image is shown as it is, so that tiles of it can be shown."""
        return self._colours is None and self.composite is None

    def shown(self, image: Tensor) -> Tensor:
        """Return the image to show: with the content's colours, and the pixels kept outside."""
        if self._colours is not None:
            shape = (image.shape[2], image.shape[3])
            if self._resized_colours is None or self._resized_colours.shape[2:] != shape:
                self._resized_colours = resize(self._colours, shape)
            image = with_luminance(self._resized_colours, image[:, :1])
        return image if self.composite is None else self.composite.around(image)

    def finished(self, shown: Tensor) -> Tensor:
        """Return the image to show after the last step, for the one that would be shown else."""
        recipe = self.job.recipe
        if recipe.final_color == "none" or self.grey or self.content is None:
            return shown
        shape = (shown.shape[2], shown.shape[3])
        return with_style_chroma(
            shown,
            self.content.resized(shape),
            self.styles,
            shares_of(recipe, len(self.styles)),
            periodic=recipe.padding == "circular",
        )

    def image_of(self, picture: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return the run's image, of a given shape, for a shown one: the reverse of `shown`."""
        if self.composite is not None:
            picture = resize(picture[self.composite.window], shape)
        return luminance(picture).expand(-1, 3, -1, -1) if self.grey else picture

    def _mask_at(self, shape: tuple[int, int]) -> Tensor | None:
        """Return the weights of the content's pixels."""
        if self.content is None or self.content.mask is None:
            return None
        return resize(self.content.mask, shape, smooth=False)


def _grey(image: MaskedImage) -> MaskedImage:
    """Return an image in grey; a grey image is returned unchanged, to the last bit."""
    if torch.equal(image.image[:, :1].expand_as(image.image), image.image):
        return image
    return MaskedImage(luminance(image.image).expand(-1, 3, -1, -1), image.mask)


def _with_luminance_of(style: MaskedImage, content: MaskedImage) -> MaskedImage:
    matched = match_luminance(
        style.image[:, :1], content.image[:, :1], mask=style.mask, reference_mask=content.mask
    )
    return MaskedImage(matched.expand(-1, 3, -1, -1), style.mask)


def _with_colours_of(style: MaskedImage, content: MaskedImage, method: str) -> MaskedImage:
    matched = match_colors(
        style.image, content.image, method, mask=style.mask, reference_mask=content.mask
    )
    return MaskedImage(matched, style.mask)


def initial_image(
    recipe: Recipe,
    shape: tuple[int, int],
    content: MaskedImage | None,
    styles: Sequence[MaskedImage],
    image: MaskedImage | None,
    *,
    grey: bool = False,
) -> Tensor:
    """Return the image that a run starts from, (1, 3, H, W) in [0, 1].

    `init` starts from the content, from the first style or from `image`, which are scaled to cover
    the shape, from noise, or from a mixture of content and noise.
    """
    if recipe.init == "image":
        assert image is not None
        return image.covering(shape).image.clamp(0, 1)
    if recipe.init == "style":
        return styles[0].covering(shape).image.clamp(0, 1)
    pattern = content or styles[0]
    share = {"content": 0.0, "noise": 1.0, "mix": recipe.init_noise}[recipe.init]
    if not share:
        return pattern.covering(shape).image.clamp(0, 1)
    noise = _noise(recipe, shape, styles[0] if styles else pattern, grey)
    noise = noise.to(pattern.image.device)
    if share == 1:
        return noise
    return torch.lerp(pattern.covering(shape).image, noise, share).clamp(0, 1)


def _noise(recipe: Recipe, shape: tuple[int, int], pattern: MaskedImage, grey: bool) -> Tensor:
    """Return noise in [0, 1], drawn on the CPU: the same for every device."""
    generator = torch.Generator().manual_seed(recipe.seed)
    # One draw for all channels of a grey picture: the mean of three would be fainter.
    size = (1, 1 if grey else 3, *shape)
    middle = torch.tensor(MEAN_COLOUR).view(1, 3, 1, 1)
    if recipe.noise == "uniform":
        drawn = torch.rand(size, generator=generator).mul_(2).sub_(1)
    else:
        drawn = torch.randn(size, generator=generator)
    if recipe.noise == "covariance":
        return _like_pixels(drawn, pattern)
    if recipe.noise == "matched":
        middle, deviation = _moments_of(pattern)
        return (middle + drawn * deviation).float().clamp(0, 1)
    if recipe.parametrization == "decorrelated" and not grey:
        drawn = correlated(drawn)
    return (middle + drawn * recipe.noise_spread).float().clamp(0, 1)


def _moments_of(pattern: MaskedImage) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each channel, (1, 3, 1, 1)."""
    pixels = pattern.image.cpu().double().flatten(2)
    if pattern.mask is not None:
        pixels = pixels[..., pattern.mask.cpu().flatten() > 0.5]
    mean, deviation = pixels.mean(dim=2), pixels.std(dim=2, correction=0)
    return mean[..., None, None], deviation[..., None, None]


def _like_pixels(noise: Tensor, pattern: MaskedImage) -> Tensor:
    """Return noise (1, 1 or 3, H, W) with the mean and the covariance of an image's colours.

    Independent channels would start with colours that the image has not, and coarse sizes of such
    noise would stay as coloured grain.
    """
    pixels = pattern.image[:, : noise.shape[1]]
    matched = match_colors(noise, pixels, "pca", reference_mask=pattern.mask)
    return matched.expand(-1, 3, -1, -1).clone()
