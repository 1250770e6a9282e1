"""A run under way: the order, the network and what is computed from them, as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.change import Change
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale, continued
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS
from napari_nst.engine.run.banded import BandedImage
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.explained import explained_errors
from napari_nst.engine.run.loop import optimize
from napari_nst.engine.run.painted import painted
from napari_nst.engine.run.provenance import facts_of_run
from napari_nst.engine.run.targets import RunSetup
from napari_nst.engine.run.time_estimate import forecast, work_of_step
from napari_nst.engine.steering import Steering, TileDone
from napari_nst.engine.tiling.budget import Tiling, home_of
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import PretrainedVGG, Progress, load
from napari_nst.engine.vgg.weights.cache import cache_folder
from napari_nst.errors import Cancelled
from napari_nst.recipe import Recipe


def run(
    order: Job,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Return the iterations of an order; everything slow happens from the first `next` on.

    Parameters
    ----------
    order : Order
        What to do.
    progress, steering, after
        As for `stylize`.

    Raises
    ------
    ValueError
        If `after` is one of several pictures, or of another image than the order keeps.
    """
    if after is not None:
        if after.panels:
            raise ValueError(
                "after is one of several pictures made in turn, which cannot go on; give the last "
                "iteration of a single one."
            )
        if order.keep_outside is not None and after.shape != order.keep_outside.picture.shape:
            raise ValueError(
                "after shows another image than what this run leaves as it is; give the last "
                "iteration of a run on the same one."
            )
        scales = continued(order.scales, order.recipe.steps, after.shape)
        order = replace(order, scales=scales)
    return _run(order, progress, steering or Steering(), after)


def _run(
    order: Job, progress: Progress | None, steering: Steering, after: Iteration | None
) -> Iterator[Iteration]:
    try:
        with explained_errors(order.recipe, order.scales):
            course = Run(order, load(order.recipe.weights, progress), steering, after)
            if progress is not None:
                progress(str(course.forecast), 0, 0)
            yield from course.iterations()
    except Cancelled:
        if not steering.stopped:
            raise


class Run:
    """What a run computes with, and how steering changes it.

    Parameters
    ----------
    order : Order
        What to do.
    pretrained : PretrainedVGG
        The network's weights.
    steering : Steering
        What the caller changes.
    after : Iteration or None
        The earlier run's last iteration, if this one goes on from it.
    """

    def __init__(
        self,
        order: Job,
        pretrained: PretrainedVGG,
        steering: Steering,
        after: Iteration | None,
    ) -> None:
        self.order = order
        self.pretrained = pretrained
        self.steering = steering
        self.after = after
        self.device = choose_device(order.recipe.device)
        self.dtype = choose_precision(order.recipe.precision, self.device)
        self.home = home_of(order, self.device, self.dtype)
        self.network = self._network(order.recipe)
        self.assembly = self._assembly(order, self.network)
        self.stepper = OPTIMIZERS[order.recipe.optimizer](order.recipe, self.assembly.canvas)
        self.stepper.pulse = self._pulse
        self.step = after.step if after else 0
        self.steered: list[dict[str, Any]] = list(after.facts.get("steered", ())) if after else []
        self.tiling = Tiling(
            self.device,
            self.home,
            self.dtype,
            self._say_smaller,
            is_grey=self.assembly.canvas.grey,
            folder=cache_folder(),
        )
        self.stepper.lighten = lambda error: self.tiling.lighter(self.assembly, self.scale, error)
        self.forecast = forecast(self.assembly, self.tiling.plan(order))
        for sentence in self.tiling.forgotten(order):
            steering.tell(sentence)
        self.facts = self._facts()

    def iterations(self) -> Iterator[Iteration]:
        """Yield an iteration per step."""
        steps = optimize(
            self._first_image(),
            self.order.scales,
            self.objective_at,
            self.stepper,
            periodic=self.order.recipe.padding == "circular",
            steered=self.steered_at,
            after=self.after,
            work_at=self._work_at,
        )
        try:
            for step in steps:
                self.step = step.step
                pixels, kept, alpha = step.pixels, self.order.keep_outside, None
                # Else it has some rows, and the first process all.
                if pixels.shape[2] == step.shape[0]:
                    pixels, alpha = self.assembly.shown(pixels), self.assembly.alpha
                yield replace(
                    step,
                    shape=kept.picture.shape if kept else step.shape,
                    full_shape=kept.picture.shape if kept else step.full_shape,
                    pixels=pixels,
                    alpha=alpha,
                    is_grey=self.assembly.shows_one_channel,
                    facts={**self.facts, "tile": self.assembly.tile},
                    free=kept.mask if kept else None,
                )
        finally:
            self.stepper.replays.forget()
            # The network calls this course, and would keep all that is large until collected.
            del self.stepper, self.assembly

    def objective_at(self, scale: Scale) -> Objective:
        """Compute the targets of a scale, in tiles that memory has room for."""
        self.scale = scale
        self.stepper.shelf = self.tiling.shelf(self.order, scale)
        if isinstance(self.stepper, LBFGS):
            self.stepper.most_history = self.tiling.past_steps(self.order, scale)
        return self.tiling.objective(self.assembly, scale)

    def steered_at(self, scale: Scale) -> tuple[Tensor, Objective] | None:
        """Return the image and the objective to go on with, where something has changed."""
        change = self.steering.take_changes()
        if change is None:
            return None
        picture = self.assembly.shown(self.stepper.current)
        found: dict[str, Any] = {}
        objective: Objective | None = None
        try:
            found, objective = self._adopt(change, scale)
        except (ValueError, TypeError) as error:
            self.steering.tell(f"Not changed: {error}")
        for strokes in change.strokes:
            picture = painted(picture, strokes)
            found["painted_pixels"] = int(strokes.where.sum()) + found.get("painted_pixels", 0)
        if not found:
            return None
        if objective is None:
            objective = self.assembly.objective_at(scale)
        self.steered.append({"after_step": self.step, **found})
        self.facts = self._facts()
        return self.assembly.image_of(picture), objective

    def _adopt(self, change: Change, scale: Scale) -> tuple[dict[str, Any], Objective | None]:
        """Go over to another order; return in what it differs, and the objective if it does.

        Where that is not possible, everything stays as it is.
        """
        order = self.order.changed(change)
        found = self.order.differences(order)
        if not found:
            return {}, None
        network = self.network
        if network_layers(order.recipe) != network_layers(self.order.recipe):
            network = self._network(order.recipe)
        assembly = self._assembly(order, network)
        assembly.tile, assembly.processes = self.assembly.tile, self.assembly.processes
        assembly.shelf = self.assembly.shelf
        objective = assembly.objective_at(scale)
        self.order, self.network, self.assembly = order, network, assembly
        self.stepper.adopt(order.recipe, assembly.canvas)
        if not found.keys().isdisjoint(("guides", "region", "exemplar_region")):
            for sentence in order.small_regions():
                self.steering.tell(sentence)
        return found, objective

    def _first_image(self) -> BandedImage:
        scale, processes = self.order.scales[0], self.tiling.processes
        self.tiling.settle(self.assembly, scale)
        if self.after is None:
            bands = self.assembly.bands_at(scale.shape)
            return BandedImage(self.assembly.first_image(scale.shape), bands)
        height, width = scale.shape if self.order.keep_outside else self.after.shape
        pixels = torch.empty(1, 3, 0, width, device=self.home)
        if not processes.rank:  # which alone has got all of it
            pixels = self.assembly.image_of(self.after.pixels.to(self.home))
        return BandedImage(pixels, Bands.of_first(height, processes))

    def _network(self, recipe: Recipe) -> VGG19:
        layers = network_layers(recipe)
        network = network_of(recipe, layers, self.pretrained, self.dtype).to(self.device)
        network.pulse = self._pulse
        return network

    def _assembly(self, order: Job, network: VGG19) -> RunSetup:
        assembly = RunSetup(order, network, self.home)
        assembly.watch = self._on_tile if self.steering.watch is not None else None
        return assembly

    def _pulse(self) -> None:
        if self.steering.stopped:
            raise Cancelled("Stopped by the user.")

    def _on_tile(
        self, done: int, total: int, window: tuple[slice, slice] | None, pixels: Tensor | None
    ) -> None:
        assert self.steering.watch is not None
        if pixels is not None:
            # What is shown else is not the image itself, but made of all of it.
            is_shown = self.assembly.shows_image and not self.order.recipe.ema
            pixels = pixels.detach().clamp(0, 1) if is_shown else None
        tile = TileDone(self.step + 1, done, total, window, pixels, self.scale.shape)
        self.steering.watch(tile)

    def _say_smaller(self, tile: int) -> None:
        since = f"from iteration {self.step}" if self.step else "from the start"
        self.steering.tell(f"Ran out of memory; going on {since} in tiles of {tile} pixels.")

    def _work_at(self, scale: Scale) -> float:
        tile, taken = self.tiling.at(self.order, scale)
        return work_of_step(self.order, scale, tile, taken.parts)

    def _facts(self) -> dict[str, Any]:
        order, recipe = self.order, self.order.recipe
        if self.after is not None:  # as if it were one run
            recipe = recipe.replace(steps=self.after.step + recipe.steps)
        facts = facts_of_run(
            order.name, recipe, order.images, self.pretrained, self.device, self.dtype,
            **order.arguments,
        )  # fmt: skip
        facts |= {"forecast": self.forecast.facts()}
        return facts | ({"steered": list(self.steered)} if self.steered else {})
