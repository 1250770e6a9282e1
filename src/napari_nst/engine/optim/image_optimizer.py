"""Optimizers of images, one step at a time: each step can be shown, paused and stopped after.

An optimizer owns the image. The losses that it reports after a step are those of the image that it
then has, so image and numbers always belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from napari_nst.engine.optim.bases import Pixels, basis_of
from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS
from napari_nst.engine.optim.moving_average import MovingAverage
from napari_nst.engine.optim.parametrization import Parametrization
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe


class Differentiable(Protocol):
    """What an optimizer minimises, such as an `Objective`."""

    def value_and_grad(self, image: Tensor) -> tuple[dict[str, float], Tensor]:
        """Return named losses, and the gradient of their sum by an image (1, 3, H, W)."""

    def with_fixed(self, image: Tensor) -> Tensor:
        """Return an image with the pixels in place that must not change."""

    def redraw(self) -> bool:
        """Draw random numbers of the losses again; return whether there are any."""


class AdamMoments(NamedTuple):
    """What Adam carries from scale to scale."""

    first: Tensor
    second: Tensor
    step: Tensor
    basis: Pixels  # of the scale that they come from


class _Best(NamedTuple):
    """The best step so far; its gradient in bfloat16, which is exact enough to restart from."""

    variables: Tensor
    gradient: Tensor
    losses: dict[str, float]


class NotFinite(NstError):
    """The loss or the gradient of the image that an optimizer starts from is not finite."""


_PLAIN = (
    "lr", "history", "gradient_scale", "steps", "failures", "losses", "_best_total", "_is_finite"
)  # fmt: skip
"""Attributes of an `ImageOptimizer` that are saved as they are."""


class ImageOptimizer:
    """Improves an image step by step, and takes back a step that went wrong.

    There is one for each scale, and another one after a change of the objective. `image`
    (1, 3, H, W) in [0, 1] is where it starts, `grey` makes the three channels equal, `moments` are
    those of Adam at the scale before. The constructor evaluates the objective once.
    """

    default_lr: ClassVar[float]
    """What a recipe's learning rate of 0 stands for."""

    unit: ClassVar[float] = 1.0
    """The variable of a white pixel."""

    redraws_every: ClassVar[int] = 1
    """After how many steps the objective draws its random numbers again."""

    explosion: ClassVar[float] = math.inf
    """A loss so many times the best one is taken back."""

    failures: int = 0
    """Number of steps in a row, up to the last one, that gave numbers that are not finite."""

    def __init__(
        self,
        recipe: Recipe,
        image: Tensor,
        objective: Differentiable,
        *,
        grey: bool = False,
        moments: AdamMoments | None = None,
        history: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.objective = objective
        self.lr = recipe.learning_rate or self.default_lr
        self.history = recipe.history if history is None else history
        image = objective.with_fixed(image)
        self.parametrization = self._parametrization(recipe, image, grey)
        self.variables = self.parametrization.variables(image).requires_grad_()
        del image
        self.gradient_scale = 1.0
        self.steps = 0
        self._evaluate()
        if not self._is_finite:
            names = [name for name, value in self.losses.items() if not math.isfinite(value)]
            of = f" ({', '.join(names)})" if names else ""
            what = "loss" if names else "gradient of the losses"
            raise NotFinite(
                f"The {what} of the starting image is not finite{of}. Choose smaller weights, or "
                "set `precision='float32'`."
            )
        self._scale_gradient()
        empty = torch.empty_like(self.variables.detach())
        self._best = _Best(empty, empty.to(torch.bfloat16), {})
        self._remember()
        self.optimizer = self._new_optimizer()
        self._warm_start(moments)
        self.average = MovingAverage(recipe.ema, self.current) if recipe.ema else None

    def step(self) -> dict[str, float]:
        """Improve the image once and return the weighted parts of its loss.

        If the step was taken back, the best image is restored, and the parts are those of its loss.
        """
        self.steps += 1
        # Adam averages over draws anyway, so that its steps need one evaluation, of new draws.
        is_due = self.steps % self.redraws_every == 0
        if is_due and self.redraws_every > 1 and self.objective.redraw():
            self._measure_again()
        if self._is_finite:
            self.optimizer.step(self._closure())
            if isinstance(self.optimizer, torch.optim.Optimizer):
                with torch.no_grad():
                    self.parametrization.limit(self.variables)
            self._after_step()
            if self.redraws_every == 1:
                self.objective.redraw()
            self._evaluate()
        self.failures = 0 if self._is_finite else self.failures + 1
        if self.failures:
            # A second failure in a row says that steps are far too long.
            self._take_back(2 if self.failures == 1 else 10)
        elif self._total > self._best_total * self.explosion:
            self._take_back(2)
        elif self._total < self._best_total:
            self._remember()
        if self.average is not None:
            self.average.update(self.current)
        return self.losses

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on, besides the recipe and the objective."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        average = self.average
        return plain | {
            "variables": self.variables.detach(),
            "shape": self.parametrization.basis.shapes[0],
            "gradient": self._gradient,
            "best": tuple(self._best),
            "average": None if average is None else average.state(),
            "optimizer": self._optimizer_state(),
        }

    @classmethod
    def from_state(
        cls,
        recipe: Recipe,
        objective: Differentiable,
        state: Mapping[str, Any],
        *,
        grey: bool,
        device: torch.device,
    ) -> Self:
        """Return an optimizer that goes on from a state, without an evaluation."""
        self = cls.__new__(cls)
        self.recipe, self.objective = recipe, objective
        for name in _PLAIN:
            setattr(self, name, state[name])
        self.variables = state["variables"].to(device).requires_grad_()
        self.parametrization = self._parametrization(
            recipe, self.variables.new_empty(1, 3, *state["shape"]), grey
        )
        self.variables.grad = state["gradient"].to(device)
        variables, gradient, losses = state["best"]
        self._best = _Best(variables.to(device), gradient.to(device), losses)
        self.average = None
        if state["average"] is not None:
            self.average = MovingAverage.from_state(recipe.ema, state["average"], device)
        self.optimizer = self._new_optimizer()
        self._load_optimizer_state(state["optimizer"])
        return self

    @classmethod
    def _parametrization(cls, recipe: Recipe, image: Tensor, grey: bool) -> Parametrization:
        """Return the parametrization of images of the same shape, format and device."""
        shape = (image.shape[2], image.shape[3])
        basis = basis_of(recipe, shape, image, grey=grey)
        return Parametrization(basis, recipe.image_range, grey, cls.unit)

    def _optimizer_state(self) -> dict[str, Any]:
        if isinstance(self.optimizer, LimitedMemoryBFGS):
            return self.optimizer.state()
        of_variables = dict(self.optimizer.state.get(self.variables, {}))
        return {"lr": self.optimizer.param_groups[0]["lr"], "state": of_variables}

    def _load_optimizer_state(self, state: Mapping[str, Any]) -> None:
        if isinstance(self.optimizer, LimitedMemoryBFGS):
            self.optimizer.load_state(state)
            return
        own = self.optimizer.state_dict()
        own["param_groups"][0]["lr"] = state["lr"]
        self.optimizer.load_state_dict({**own, "state": {0: state["state"]}})

    @property
    def current(self) -> Tensor:
        """A copy of the image, (1, 3, H, W), whose losses are known."""
        # Other bases than pixels also move the fixed pixels, which the objective replaces.
        image = self.objective.with_fixed(self.parametrization.image(self.variables.detach()))
        return image.clone() if image.data_ptr() == self.variables.data_ptr() else image

    @property
    def image(self) -> Tensor:
        """A copy of the image to show, (1, 3, H, W): the current one or the moving average."""
        return self.current if self.average is None else self.average.value

    @property
    def moments(self) -> AdamMoments | None:
        """What the optimizer of the next scale starts with."""
        return None

    @property
    def _total(self) -> float:
        return float(sum(self.losses.values()))

    @property
    def _gradient(self) -> Tensor:
        assert self.variables.grad is not None
        return self.variables.grad

    def _evaluate(self) -> None:
        """Compute losses and gradient of the variables."""
        self.variables.grad = None  # a large image's takes memory
        variables = self.variables.detach()
        self.losses, by_image = self.objective.value_and_grad(self.parametrization.image(variables))
        gradient = self.parametrization.gradient(variables, by_image).contiguous()
        self.variables.grad = gradient.mul_(self.gradient_scale)
        # A gradient whose squares overflow is of no use to either optimizer. The loss need not
        # depend on all pixels.
        sizes = [torch.linalg.vector_norm(one) for one in (variables, self.variables.grad)]
        self._is_finite = math.isfinite(self._total + sum(torch.stack(sizes).tolist()))

    def _measure_again(self) -> None:
        """Evaluate the objective, which has become another function, at the current image."""
        before = self._gradient
        self._evaluate()
        if self._is_finite:
            self._shift_gradient(self._gradient - before)
            self._remember()  # by the new measure, another step may be the best

    def _remember(self) -> None:
        self._best_total = self._total
        variables, gradient, _ = self._best
        variables.copy_(self.variables.detach())
        self._best = _Best(variables, gradient.copy_(self._gradient), self.losses)

    def _take_back(self, divisor: float) -> None:
        """Restore the best image and continue from it with a smaller learning rate."""
        variables, gradient, self.losses = self._best
        self.variables.data.copy_(variables)
        self._gradient.copy_(gradient)
        self._is_finite = True
        self.lr /= divisor
        del self.optimizer  # before the next one takes as much memory
        self.optimizer = self._new_optimizer()

    def _closure(self) -> Callable[[], float]:
        """Return what torch's optimizer calls for the loss; loss and gradient are known."""
        return lambda: self._total

    def _new_optimizer(self) -> torch.optim.Optimizer | LimitedMemoryBFGS:
        raise NotImplementedError

    def _warm_start(self, moments: AdamMoments | None) -> None:
        """Take over the moments of the scale before."""

    def _scale_gradient(self) -> None:
        """Choose a factor for all gradients of this scale."""

    def _after_step(self) -> None:
        """Adapt torch's optimizer after a step."""

    def _shift_gradient(self, change: Tensor) -> None:
        """Adapt the optimizer to a change of the gradient at the current image."""
