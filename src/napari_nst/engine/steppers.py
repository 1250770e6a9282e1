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

from napari_nst.engine.images import resize
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe

Losses = Callable[[Tensor], dict[str, Tensor]]
"""Image (1, 3, H, W) in [0, 1] → its weighted, named parts."""


class Stepper:
    """Improves an image step by step, and takes back a step that went wrong.

    Parameters
    ----------
    recipe : Recipe
        Its `learning_rate`, and `history` for L-BFGS.
    """

    usual_learning_rate: ClassVar[float]
    """What a recipe's learning rate of 0 stands for."""

    unit: ClassVar[float] = 1.0
    """What a white pixel is to the optimiser."""

    explosion: ClassVar[float] = math.inf
    """How many times the best loss so far is no longer an excursion but a failure."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.learning_rate = self._given_learning_rate()

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image (1, 3, H, W) in [0, 1], at a new scale or with another objective."""
        self.objective = objective
        self.learning_rate = self._given_learning_rate()
        self.pixels = (image * self.unit).detach().clone().requires_grad_()
        self.gradient_scale = 1.0
        self._evaluate()
        if not math.isfinite(self._total()):
            raise NstError("The loss of the starting image is not finite; check the weights.")
        self._scale_gradient()
        self._remember()
        self.optimizer = self._new_optimizer()

    def step(self) -> dict[str, float]:
        """Improve the image once and return the weighted parts of its loss."""
        # Loss and gradient are known from the step before; the closure only hands them over.
        self.optimizer.step(self._total)
        self._after_step()
        self._evaluate()
        total = self._total()
        if not math.isfinite(total) or total > self._best_total * self.explosion:
            self._take_back()
        elif total < self._best_total:
            self._remember()
        return self.parts

    @property
    def image(self) -> Tensor:
        """A copy of the image as it is now, (1, 3, H, W) in [0, 1]."""
        return self.pixels.detach() / self.unit

    def _given_learning_rate(self) -> float:
        return self.recipe.learning_rate or self.usual_learning_rate

    def _evaluate(self) -> None:
        """Compute the losses of the pixels and their gradient."""
        parts = self.objective(self.pixels / self.unit)
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
            self.pixels.clamp_(0, self.unit)


class LBFGS(Stepper):
    """L-BFGS without line search: one evaluation per step (Liu & Nocedal 1989).

    It works on pixels of 0–255. The first step has no curvature to go by; it moves each pixel by
    one of 255 levels on average. Torch's own first step is one unit long over *all* pixels
    together, which bfloat16 cannot even see, and its test for curvature has an absolute bound: so
    the gradient is scaled to the same length whatever the weights.
    """

    usual_learning_rate = 1.0
    unit = 255.0
    explosion = 1.5

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            [self.pixels],
            lr=self.learning_rate * self.pixels.numel(),
            max_iter=1,
            history_size=self.recipe.history,
            # The number of steps is the user's to say; torch's own tolerances end a run unseen.
            tolerance_grad=0,
            tolerance_change=0,
        )

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

    As in crowsonkb/style-transfer-pytorch: betas 0.9 and 0.99; the first moment is resampled like
    the image, the second so that it stays positive, and the count of steps goes on.
    """

    usual_learning_rate = 0.02
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image, with the moments of the scale before resampled to its size."""
        moments = self.optimizer.state[self.pixels] if hasattr(self, "optimizer") else {}
        super().begin(image, objective)
        if moments:
            shape = (image.shape[-2], image.shape[-1])
            self.optimizer.state[self.pixels] = {
                "step": moments["step"],
                "exp_avg": resize(moments["exp_avg"], shape),
                "exp_avg_sq": resize(moments["exp_avg_sq"], shape, smooth=False).relu(),
            }

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([self.pixels], lr=self.learning_rate, betas=self.betas)


STEPPERS: dict[str, type[Stepper]] = {"lbfgs": LBFGS, "adam": Adam}
"""Recipe's `optimizer` → class."""
