"""Whether style targets can take the place of the styles of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from napari_nst.engine.job.guides import Guides
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.layers import compared_layers, has_style_of_image
from napari_nst.engine.job.own_loss import OwnLoss
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_target import StyleTarget, statistics_of
from napari_nst.recipe import Recipe
from napari_nst.recipe.convert_weights import FLAVOURS
from napari_nst.recipe.sections import MOMENT_LOSSES, SAMPLED_LOSSES

LEFT_OUT = ("spectrum", "two_point")
"""Losses of whole images that are left out where they are terms."""

_NETWORK = ("network_input", "pooling", "style_scale")
"""Fields that the features of a style depend on, besides network and padding."""

_ANEW = "or make the style target anew with this recipe"


class _Job(Protocol):
    """What is needed of a job, whose module imports this one."""

    @property
    def recipe(self) -> Recipe: ...

    @property
    def scales(self) -> Sequence[Scale]: ...

    @property
    def content(self) -> InputImage | None: ...

    @property
    def styles(self) -> Sequence[InputImage]: ...

    @property
    def guides(self) -> Guides | None: ...

    @property
    def own_losses(self) -> Sequence[OwnLoss]: ...

    @property
    def works_in_grey(self) -> bool: ...


def refuse_whole_images(recipe: Recipe) -> None:
    """Raise ValueError if a style loss of a recipe is no function of what a target holds."""
    for phase in phases_of(recipe):
        for term in phase.with_terms():
            loss = term.style_loss
            is_used = has_style_of_image(term) or compared_layers(term, "style")
            if not is_used or loss in (*MOMENT_LOSSES, *SAMPLED_LOSSES):
                continue
            if loss not in LEFT_OUT or term.style_loss == phase.style_loss:
                raise ValueError(
                    f"`style_loss={loss!r}` compares whole images, which a style target does not "
                    "hold. Choose another `style_loss`, such as 'mean_covariance', or give images."
                )


def refuse_colours_of_content(recipe: Recipe) -> None:
    """Raise ValueError if a recipe recolours styles like the content."""
    for phase in phases_of(recipe):
        if phase.color != "style":
            raise ValueError(
                f"`color={phase.color!r}` needs the pixels of a style, which a style target does "
                "not hold. Set `color='style'`."
            )


def phases_of(recipe: Recipe) -> list[Recipe]:
    """Return the recipe of each phase."""
    return [recipe.phase(index) for index in range(len(recipe.phases) + 1)]


def refuse_unfit(job: _Job) -> None:
    """Raise ValueError if a style target of a job does not fit the job, and say what does."""
    targets = [style.target for style in job.styles if style.target is not None]
    if not targets:
        return
    recipe = job.recipe
    refuse_whole_images(recipe)
    refuse_colours_of_content(recipe)
    for own in job.own_losses:
        if own.of == "style" and own.target is not None:
            raise ValueError(
                f"`losses` has {own.name!r}, which compares whole styles, and a style target holds "
                "none. Leave out that loss, or give images."
            )
    if recipe.init == "style" and job.styles[0].target is not None:
        raise ValueError(
            "`init='style'` is set, but a style target holds no image. Set `init='noise'`."
        )
    if recipe.style_sizing != "fit" and job.content is not None:
        raise ValueError(
            f"`style_sizing={recipe.style_sizing!r}` is set, but a style target has the sizes of "
            "its recipe. Set `style_sizing='fit'`."
        )
    guides = job.guides.styles if job.guides is not None else [None] * len(job.styles)
    if any(
        style.target is not None and labels is not None
        for style, labels in zip(job.styles, guides, strict=True)
    ):
        raise ValueError(
            "A style target has no pixels that labels could select. Leave out its `style_guides`."
        )
    for target in targets:
        if job.works_in_grey and not target.is_grey:
            raise ValueError(
                "The run works in grey, and the style target was made in colour. Set "
                "`channels='rgb'`, or make the target anew with grey channels."
            )
        _refuse_recipe(target, recipe, job.scales, is_texture=job.content is None)


def _refuse_recipe(
    target: StyleTarget, recipe: Recipe, scales: Sequence[Scale], *, is_texture: bool
) -> None:
    own = target.recipe
    phases = phases_of(recipe)
    for phase in phases:
        for name, value, needed in _network_fields(own, phase):
            if value != needed:
                raise ValueError(
                    f"The style target was made with another `{name}`, {needed}. Set "
                    f"`{name}={needed!r}`, {_ANEW}."
                )
    if scales[-1].longest not in target.sizes:
        if is_texture and max(target.shape) < target.sizes[-1]:
            raise ValueError(
                f"A texture has at most the size of its exemplar, here {max(target.shape)} pixels, "
                f"and the style target is for {target.sizes[-1]}. Make it anew with "
                f"`size={max(target.shape)}`."
            )
        raise ValueError(
            f"The style target is for results of {target.sizes[-1]} pixels, and this one gets "
            f"{scales[-1].longest}. Set `size={target.sizes[-1]}`, {_ANEW}."
        )
    for scale in scales:
        if scale.longest not in target.sizes:
            raise ValueError(
                f"The style target has no statistics at {scale.longest} pixels. Set "
                f"`min_size={own.min_size}` and `scale_ratio={own.scale_ratio:g}`, {_ANEW}."
            )
        for statistic in statistics_of(phases[scale.phase]):
            if any(name not in target.arrays for name in statistic.arrays(scale.longest)):
                layers = " and ".join(layer for layer, _ in statistic.layers)
                what = "feature vectors" if statistic.number else "moments"
                raise ValueError(
                    f"The style target has no {what} of {layers} at {scale.longest} pixels, which "
                    "the recipe compares. Choose the recipe that the target was made with, "
                    f"{_ANEW}."
                )


def _network_fields(own: Recipe, recipe: Recipe) -> Iterator[tuple[str, Any, Any]]:
    """Yield fields of two recipes with the value of each: the recipe's, then the target's own."""
    for name in _NETWORK:
        yield name, getattr(recipe, name), getattr(own, name)
    if "max" not in (own.pooling, recipe.pooling):
        yield "rescale_pooling", recipe.rescale_pooling, own.rescale_pooling
    # Styles are no periodic images, whatever the result is.
    used, made = ("replicate" if p == "circular" else p for p in (recipe.padding, own.padding))
    yield "padding", used, made
    if recipe.weights in FLAVOURS and own.weights in FLAVOURS:  # of files, the run compares hashes
        yield "weights", recipe.weights, own.weights
