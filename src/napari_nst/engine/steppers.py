"""L-BFGS and Adam, one step at a time: each step can be shown, paused and stopped after.

A stepper owns the pixels. What it reports after a step are the losses *of the image it then has*,
so picture and numbers always belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from napari_nst.engine.averaging import MovingAverage
from napari_nst.engine.canvas import Canvas
from napari_nst.engine.images import resize
from napari_nst.engine.lbfgs import LimitedMemoryBFGS
from napari_nst.engine.objective import Objective
from napari_nst.engine.out_of_memory import with_less_memory
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe

Losses = Callable[[Tensor], dict[str, Tensor]]
"""Image (1, 3, H, W) in [0, 1] → its weighted, named parts."""


class Stepper:
    """Improves an image step by step, and takes back a step that went wrong.

    Parameters
    ----------
    recipe : Recipe
        Its `learning_rate`, `ema`, and what belongs to the optimiser.
    canvas : Canvas, optional
        What the optimiser's numbers stand for; of the recipe's `image_range` where left out.

    Attributes
    ----------
    lighten : callable or None
        Called with the error where memory has run out; returns an objective that computes the same
        in less, which is then tried, or raises the error.
    """

    usual_learning_rate: ClassVar[float]
    """What a recipe's learning rate of 0 stands for."""

    unit: ClassVar[float] = 1.0
    """What a white pixel is to the optimiser."""

    redraws_every: ClassVar[int] = 1
    """After how many steps the objective draws anew what it draws at random."""

    explosion: ClassVar[float] = math.inf
    """How many times the best loss so far is no longer an excursion but a failure."""

    def __init__(self, recipe: Recipe, canvas: Canvas | None = None) -> None:
        self.recipe = recipe
        self.canvas = canvas or Canvas(recipe.image_range)
        self.learning_rate = self._given_learning_rate()
        self.lighten: Callable[[BaseException], Losses] | None = None

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image (1, 3, H, W) in [0, 1], at a new scale or with another objective."""
        self.objective = objective
        self.learning_rate = self._given_learning_rate()
        if isinstance(objective, Objective):
            image = objective.seen(image)  # so that what is kept is carried to the next scale
        numbers = self.canvas.numbers(image) * self.unit
        self.pixels = numbers.detach().clone().requires_grad_()
        self.gradient_scale = 1.0
        self.steps = 0
        self._evaluate()
        if not math.isfinite(self._total()):
            raise NstError("The loss of the starting image is not finite; check the weights.")
        self._scale_gradient()
        self._remember()
        self.optimizer = self._new_optimizer()
        self.average = MovingAverage(self.recipe.ema, self.current) if self.recipe.ema else None

    def adopt(self, recipe: Recipe, canvas: Canvas) -> None:
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
            self.average.update(self.current)
        return self.parts

    @property
    def current(self) -> Tensor:
        """A copy of the image as it is now, (1, 3, H, W), whose losses are known."""
        return self.canvas.image(self.pixels.detach() / self.unit)

    @property
    def image(self) -> Tensor:
        """The image to show, a copy, (1, 3, H, W): the current one or the steps' average."""
        return self.current if self.average is None else self.average.value

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

    def _lighten_objective(self, error: BaseException) -> None:
        if self.lighten is None:
            raise error
        self.objective = self.lighten(error)

    def _differentiate(self) -> None:
        parts = self.objective(self.canvas.image(self.pixels / self.unit))
        self.pixels.grad = None
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._gradient.mul_(self.gradient_scale)
        # One transfer for all numbers: each makes the processor wait for the GPU.
        values = torch.stack([part.detach() for part in parts.values()]).tolist()
        self.parts = dict(zip(parts, values, strict=True))

    @property
    def _gradient(self) -> Tensor:
        assert self.pixels.grad is not None
        return self.pixels.grad

    def _total(self) -> float:
        return float(sum(self.parts.values()))

    def _remember(self) -> None:
        self._best_total = self._total()
        self._best = (self.pixels.detach().clone(), self._gradient.clone(), self.parts)

    def _take_back(self) -> None:
        """Return to the best image so far and go on from there, more carefully."""
        pixels, gradient, self.parts = self._best
        self.pixels.data.copy_(pixels)
        self.pixels.grad = gradient.clone()
        self.learning_rate /= 2
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        raise NotImplementedError

    def _scale_gradient(self) -> None:
        pass

    def _after_step(self) -> None:
        with torch.no_grad():
            self.canvas.keep_in_range(self.pixels, self.unit)


class LBFGS(Stepper):
    """L-BFGS without line search, unless the recipe wants one: one evaluation per step.

    It works on pixels of 0–255. The first step has no curvature to go by; it moves each pixel by
    one of 255 levels on average. Torch's own first step is one unit long over *all* pixels
    together, which bfloat16 cannot even see, and its test for curvature has an absolute bound: so
    the gradient is scaled to the same length whatever the weights.

    Attributes
    ----------
    most_history : int or None
        The past steps that there is memory for, where a recipe's `history` may be more. Each
        takes 4 bytes per number of the image, and twice that with a line search.
    """

    usual_learning_rate = 1.0
    unit = 255.0
    explosion = 1.5
    redraws_every = 10  # it learns the curvature of one function
    most_history: int | None = None

    def _new_optimizer(self) -> torch.optim.Optimizer:
        history = min(self.recipe.history, self.most_history or self.recipe.history)
        if not self.recipe.line_search:
            return LimitedMemoryBFGS(
                self.pixels,
                self.learning_rate,
                history,
                lambda numbers: self.canvas.keep_in_range(numbers, self.unit),
            )
        return torch.optim.LBFGS(
            [self.pixels],
            lr=self.learning_rate * self.pixels.numel(),
            max_iter=1,
            max_eval=25,  # torch's own for one iteration leaves the line search no trial
            history_size=history,
            line_search_fn="strong_wolfe",
            # The number of steps is the user's to say; torch's own tolerances end a run unseen.
            tolerance_grad=0,
            tolerance_change=0,
        )

    def _closure(self) -> Callable[[], float]:
        """Return the loss of whatever point the line search has moved the pixels to."""
        if not self.recipe.line_search:
            return super()._closure()
        points = 0

        def total() -> float:
            nonlocal points
            if points:  # the first is where the pixels are
                self._evaluate()
            points += 1
            return self._total() * self.gradient_scale

        return total

    def _scale_gradient(self) -> None:
        length = float(self._gradient.abs().sum())
        if length > 0:
            self.gradient_scale = 1e4 / length
            self._gradient.mul_(self.gradient_scale)

    def _after_step(self) -> None:
        super()._after_step()
        # From the second step on the step length is curvature's to say.
        self.optimizer.param_groups[0]["lr"] = self.learning_rate


class Adam(Stepper):
    """Adam (Kingma & Ba 2015) on pixels kept in [0, 1], its moments carried across scales.

    As in crowsonkb/style-transfer-pytorch: the first moment is resampled like
    the image, the second so that it stays positive, and the count of steps goes on.
    """

    usual_learning_rate = 0.02

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image, with the moments of the scale before resampled to its size."""
        moments = self.optimizer.state[self.pixels] if hasattr(self, "optimizer") else {}
        super().begin(image, objective)
        # Of a picture that has become grey, or coloured, they are moments of other numbers.
        if moments and moments["exp_avg"].shape[1] == self.pixels.shape[1]:
            shape = (image.shape[-2], image.shape[-1])
            periodic = self.recipe.padding == "circular"
            first = resize(moments["exp_avg"], shape, periodic=periodic)
            second = resize(moments["exp_avg_sq"], shape, smooth=False, periodic=periodic)
            self.optimizer.state[self.pixels] = {
                "step": moments["step"],
                "exp_avg": first,
                "exp_avg_sq": second.relu(),
            }

    def _new_optimizer(self) -> torch.optim.Optimizer:
        recipe = self.recipe
        return torch.optim.Adam(
            [self.pixels],
            lr=self.learning_rate,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon,
        )


STEPPERS: dict[str, type[Stepper]] = {"lbfgs": LBFGS, "adam": Adam}
"""Recipe's `optimizer` → class."""
