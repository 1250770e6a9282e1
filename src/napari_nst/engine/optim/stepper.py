"""What optimisers have in common: each step can be shown, paused and stopped after.

A stepper owns the pixels. What it reports after a step are the losses *of the image it then has*,
so picture and numbers always belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.objective.objective import Objective, bands_of
from napari_nst.engine.optim.ema import MovingAverage
from napari_nst.engine.optim.parametrization import Parametrization, WholeCanvas
from napari_nst.engine.run.banded import BandedImage
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.errors import with_less_memory
from napari_nst.engine.run.replay import Evaluated, Replays
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.vgg.loss_scale import LossScale
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe

Losses = Callable[[Tensor], dict[str, Tensor]]
"""Image (1, 3, H, W) in [0, 1] → its weighted, named parts."""

Best = tuple[Tensor, Tensor, dict[str, float]]
"""The pixels of the best step so far, their gradient and their losses."""


def _no_losses(image: Tensor) -> dict[str, Tensor]:
    """Stand for the objective between two scales."""
    raise RuntimeError("A stepper has no objective before `begin`.")


class ImageOptimizer:
    """Improves an image step by step, and takes back a step that went wrong.

    Parameters
    ----------
    recipe : Recipe
        Its `learning_rate`, `ema`, and what belongs to the optimiser.
    canvas : Canvas, optional
        What the optimiser's numbers stand for; of the recipe's `image_range` where left out.

    Attributes
    ----------
    bands : Bands
        The rows of the image that this process has, and those of others.
    lighten : callable or None
        Called with the error where memory has run out; returns an objective that computes the same
        in less, which is then tried, or raises the error.
    shelf : Shelf
        Where all that is as large as the image lies, from the next `begin` on.
    pulse : callable
        Called again and again within a step that takes long; what it raises ends the run, with
        numbers of which some have been changed.
    replays : Replays
        What evaluates the objective, and replays it where there are CUDA graphs.
    """

    usual_learning_rate: ClassVar[float]
    """What a recipe's learning rate of 0 stands for."""

    unit: ClassVar[float] = 1.0
    """What a white pixel is to the optimiser."""

    redraws_every: ClassVar[int] = 1
    """After how many steps the objective draws anew what it draws at random."""

    explosion: ClassVar[float] = math.inf
    """How many times the best loss so far is no longer an excursion but a failure."""

    def __init__(self, recipe: Recipe, canvas: Parametrization | None = None) -> None:
        self.recipe = recipe
        self.canvas = canvas or Parametrization(recipe.image_range)
        self.learning_rate = self._given_learning_rate()
        self.lighten: Callable[[BaseException], Losses] | None = None
        self.shelf: Shelf = MEMORY
        self.pulse: Pulse = go_on
        self.replays = Replays()

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image, at a new scale or with another objective.

        It is (1, 3, H, W) in [0, 1], or of that the rows which the objective gives this process.
        """
        self.objective = objective
        self.learning_rate = self._given_learning_rate()
        bands = bands_of(objective, image.shape[2])
        self.bands = self._divided(bands)
        if isinstance(objective, Objective):
            objective.network.loss_scale.begin()
            # So that what is kept is carried to the next scale.
            image = objective.seen(bands.cut(image) if bands.has_all(image) else image)
            image = image if self.bands is bands else bands.whole(image)
        self._whole = WholeCanvas(self.canvas, self.unit, self.shelf)
        self.pixels = self._whole.numbers(image).requires_grad_()
        self._best: Best = (self._room(self.pixels.dtype), self._room(torch.bfloat16), {})
        self.gradient_scale = 1.0
        self.steps = 0
        self._evaluate()
        if not math.isfinite(self._total()):
            raise NstError(f"The loss of the starting image is not finite; {self._cure()}.")
        self._scale_gradient()
        self._remember()
        self.optimizer = self._new_optimizer()
        self.average = (
            MovingAverage(self.recipe.ema, self._rows, self.shelf) if self.recipe.ema else None
        )

    def end(self) -> BandedImage:
        """Return the image to carry to the next scale, and let go of what belongs to this one.

        Else the largest would have to find room beside the one before. `begin` has to follow.
        """
        self.replays.forget()
        image = BandedImage(self._shown, self.bands)
        del self._best
        self.average = None
        self.objective = _no_losses
        self.pixels.grad = None
        return image

    def adopt(self, recipe: Recipe, canvas: Parametrization) -> None:
        """Go over to another recipe, with the same optimiser; `begin` has to follow."""
        self.recipe, self.canvas = recipe, canvas

    def step(self) -> dict[str, float]:
        """Improve the image once and return the weighted parts of its loss."""
        self.steps += 1
        if self.steps % self.redraws_every == 0:
            self._redraw()
        self.optimizer.step(self._closure())
        self._after_step()
        self._evaluate()
        total = self._total()
        if not math.isfinite(total) or total > self._best_total * self.explosion:
            self._take_back()
        elif total < self._best_total:
            self._remember()
        if self.average is not None:
            self.average.update(self._rows)
        return self.parts

    @property
    def current(self) -> Tensor:
        """A copy of the image as it is now, (1, 3, H, W), whose losses are known."""
        return self.bands.whole(self._rows)

    @property
    def image(self) -> Tensor:
        """The image to show, a copy, (1, 3, H, W): the current one or the steps' average.

        Of several processes that divide it, the first gets all of it, others their own rows.
        """
        return self.bands.at_first(self._shown)

    @property
    def _rows(self) -> Tensor:
        """A copy of the image's rows that are this process's."""
        return self._whole.image(self.pixels)

    @property
    def _shown(self) -> Tensor:
        return self._rows if self.average is None else self.average.value

    def _divided(self, bands: Bands) -> Bands:
        """Return which rows this process optimises, where the objective divides them so."""
        return bands

    def _redraw(self) -> None:
        if isinstance(self.objective, Objective) and self.objective.redraw():
            # Another measure: what was the best by the last one may be so no longer.
            self._evaluate()
            self._remember()

    def _closure(self) -> Callable[[], float]:
        """Return what the optimiser calls for the loss of the pixels; it reads their gradient."""
        # Both are known from the step before, and only handed over.
        return self._total

    def _given_learning_rate(self) -> float:
        return self.recipe.learning_rate or self.usual_learning_rate

    def _evaluate(self) -> None:
        """Compute the losses of the pixels and their gradient, in less memory if need be."""
        with_less_memory(self._differentiate, self._lighten_objective)
        if self._has_overflowed():
            self._evaluate()

    def _has_overflowed(self) -> bool:
        """Whether gradients were too large on their way; at the next attempt they are smaller."""
        scale = self._loss_scale
        if scale is None or not math.isfinite(self._total()):
            return False
        gradient = self._gradient
        are_finite = self.shelf.filled(gradient.shape, lambda rows: gradient[:, :, rows].isfinite())
        is_lost = not are_finite.all()
        # Several processes have to try once more together, or not at all.
        return bool(self.bands.processes.total(float(is_lost))) and scale.lower()

    def _cure(self) -> str:
        """Say what to do about losses that are not finite from the start."""
        return "check the weights" if self._loss_scale is None else "take precision float32"

    @property
    def _loss_scale(self) -> LossScale | None:
        """What float16 needs, where the network computes in it."""
        if not isinstance(self.objective, Objective):
            return None
        scale = self.objective.network.loss_scale
        return scale if scale.is_needed else None

    def _lighten_objective(self, error: BaseException) -> None:
        if self.lighten is None:
            raise error
        self.objective = self.lighten(error)

    def _differentiate(self) -> None:
        self.pulse()  # a replay has no layers between which to ask
        # Of a large image each copy that is not made is worth it.
        self.pixels.grad = None
        found = self.replays.evaluate(self._evaluated, self.pixels.detach(), self.objective)
        self.pixels.grad = found.gradient.mul_(self.gradient_scale / self.unit)
        # One transfer for all numbers: each makes the processor wait for the GPU.
        self.parts = dict(zip(found.names, found.losses.tolist(), strict=True))

    def _evaluated(self, pixels: Tensor) -> Evaluated:
        """Return what the objective says of pixels, without waiting for the device."""
        image = self._whole.seen(pixels).requires_grad_()
        parts = self.objective(image)
        losses = torch.stack(list(parts.values()))
        (by_image,) = torch.autograd.grad(losses.sum(), image)
        del image
        return Evaluated(tuple(parts), losses.detach(), self._whole.back(pixels, by_image))

    def _room(self, dtype: torch.dtype) -> Tensor:
        """Return an empty tensor for as many numbers as are optimised."""
        return self.shelf.empty(self.pixels.shape, dtype, self.pixels.device)

    @property
    def _gradient(self) -> Tensor:
        assert self.pixels.grad is not None
        return self.pixels.grad

    def _total(self) -> float:
        return float(sum(self.parts.values()))

    def _remember(self) -> None:
        self._best_total = self._total()
        pixels, gradient, _ = self._best
        # Half the memory: a gradient to set out from again need not be exact.
        gradient.copy_(self._gradient)
        self._best = (pixels.copy_(self.pixels.detach()), gradient, self.parts)

    def _take_back(self) -> None:
        """Return to the best image so far and go on from there, more carefully."""
        pixels, gradient, self.parts = self._best
        self.pixels.data.copy_(pixels)
        self._gradient.copy_(gradient)
        self.learning_rate /= 2
        del self.optimizer  # before the next one takes as much room
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        raise NotImplementedError

    def _scale_gradient(self) -> None:
        pass

    def _after_step(self) -> None:
        with torch.no_grad():
            self.canvas.keep_in_range(self.pixels, self.unit)
