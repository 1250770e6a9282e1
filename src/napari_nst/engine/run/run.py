"""One run: scale after scale, step after step, an `Iteration` each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from traceback import clear_frames
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.job import Change, Job, Strokes
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale, continued
from napari_nst.engine.objective.objective import summarise
from napari_nst.engine.optim.optimizer import (
    OPTIMIZERS,
    AdamMoments,
    ImageOptimizer,
    NotFinite,
)
from napari_nst.engine.run.provenance import run_metadata
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.run.time_estimate import estimate_run
from napari_nst.engine.steering import Steering, TileDone
from napari_nst.engine.tiling.budget import AdaptiveObjective, TilePlanner, work_of_step
from napari_nst.engine.torch_errors import explained_errors, is_out_of_memory, release
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import PretrainedVGG, Progress, load
from napari_nst.errors import Cancelled, NstError, ProcessLost
from napari_nst.recipe import Recipe

MOST_FAILURES = 3
"""After so many steps in a row whose numbers are not finite, a run ends."""


def run(
    job: Job,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Return the iterations of a job; the arguments are those of `stylize`.

    Everything slow happens from the first `next` on. Raises ValueError if the run cannot continue
    after the given iteration.
    """
    if after is not None:
        if after.panels:
            raise ValueError(
                "after is one of several images made in turn, which cannot be continued; give the "
                "last iteration of a single one."
            )
        keep = job.keep_outside
        if keep is not None and after.shape != keep.picture.shape:
            raise ValueError(
                "after shows another image than the one whose pixels this run keeps; give the last "
                "iteration of a run on the same image."
            )
        scales = continued(job.scales, job.recipe.steps, after.shape)
        job = replace(job, scales=scales)
    return _iterate(job, progress, steering or Steering(), after)


def _iterate(
    job: Job, progress: Progress | None, steering: Steering, after: Iteration | None
) -> Iterator[Iteration]:
    try:
        with explained_errors(job.recipe, job.scales):
            this = Run(job, load(job.recipe.weights, progress), steering, after)
            if progress is not None:
                progress(str(this.estimate), 0, 0)
            yield from this.iterations()
    except Cancelled:
        if not steering.stopped:
            raise


class Run:
    """A job under way, and how steering changes it."""

    def __init__(
        self, job: Job, pretrained: PretrainedVGG, steering: Steering, after: Iteration | None
    ) -> None:
        self.job = job
        self.pretrained = pretrained
        self.steering = steering
        self.after = after
        self.step = after.step if after else 0
        self.told_of_failure = False
        self.steered: list[dict[str, Any]] = list(after.facts.get("steered", ())) if after else []
        self.device = choose_device(job.recipe.device)
        self.dtype = choose_precision(job.recipe.precision, self.device)
        self.planner = TilePlanner(job, self.device, self.dtype, steering.tell)
        self.setup = RunSetup(job, self._network(job.recipe), self.planner.image_device)
        plans = self.planner.plans(job)
        processes = self.planner.sharing(job, job.scales[-1]).count
        self.estimate = estimate_run(self.setup, plans, processes)
        for sentence in self.planner.short_histories(job):
            steering.tell(sentence)
        self.metadata = self._metadata()

    def iterations(self) -> Iterator[Iteration]:
        """Yield an iteration per step. Closing the generator ends the run."""
        periodic = self.job.recipe.padding == "circular"
        before, began, done = self.after.seconds if self.after else 0.0, time.perf_counter(), 0.0
        # A list, so that the large image can be freed before the next scale.
        start = [self._first_image()]
        moments: AdamMoments | None = None
        for index, scale in enumerate(self.job.scales):
            later = self._work_of(self.job.scales[index + 1 :])
            objective = self._objective(scale)
            image = resize(start.pop(), scale.shape, periodic=periodic).clamp(0, 1)
            optimizer = self._optimizer(image, objective, scale, moments)
            del image, moments
            for taken in range(1, scale.steps + 1):
                self.steering.check_cancelled()
                change = self.steering.take_changes()
                if change is not None:
                    current, former = optimizer.current, (self.job, self.setup)
                    changed = self._apply(change, current, scale)
                    if changed is not None:
                        image, new = changed
                        moments = optimizer.moments
                        del optimizer  # before the next one takes memory
                        try:
                            optimizer = self._optimizer(image, new or objective, scale, moments)
                            objective = new or objective
                        except NotFinite as error:
                            self.steering.tell(f"Not changed: {error}")
                            self.job, self.setup = former
                            self.steered.pop()
                            self.metadata = self._metadata()
                            optimizer = self._optimizer(current, objective, scale, moments)
                        del image, new, moments
                    del current, former, changed
                losses = summarise(optimizer.step())
                self.step += 1
                work = work_of_step(self.job, scale, objective.tile)
                done += work
                seconds = time.perf_counter() - began
                left = seconds * (work * (scale.steps - taken) + later) / done
                iteration = self._iteration(
                    scale, optimizer.image, losses, objective.tile, before + seconds, left
                )
                if self._must_end(optimizer.failures):
                    yield replace(iteration, steps=self.step, seconds_left=0.0)
                    return
                yield iteration
                del iteration
            moments = optimizer.moments
            start.append(optimizer.image)
            del optimizer, objective

    def _must_end(self, failures: int) -> bool:
        """Tell the user about steps whose numbers were not finite; return whether the run ends."""
        if failures and not self.told_of_failure:
            self.told_of_failure = True
            self.steering.tell(
                f"Step {self.step} gave numbers that are not finite; the best image so far is "
                "restored, and the run goes on with smaller steps."
            )
        if failures < MOST_FAILURES:
            return False
        self.steering.tell(
            f"The run ends after step {self.step} with the best image so far, because "
            f"{failures} steps in a row gave numbers that are not finite; take smaller weights, a "
            "smaller learning_rate, or precision float32."
        )
        return True

    def _iteration(
        self,
        scale: Scale,
        image: Tensor,
        losses: dict[str, float],
        tile: int,
        seconds: float,
        seconds_left: float,
    ) -> Iteration:
        keep = self.job.keep_outside
        done = self.after.step if self.after else 0
        return Iteration(
            step=self.step,
            steps=done + sum(one.steps for one in self.job.scales),
            losses=losses,
            shape=keep.picture.shape if keep else scale.shape,
            seconds=seconds,
            seconds_left=seconds_left,
            pixels=self.setup.shown(image),
            alpha=self.setup.alpha_at(scale),
            is_grey=self.setup.shows_one_channel,
            full_shape=keep.picture.shape if keep else self.job.scales[-1].shape,
            facts={**self.metadata, "tile": tile},
            free=keep.mask if keep else None,
        )

    def _work_of(self, scales: Sequence[Scale]) -> float:
        return sum(
            scale.steps * work_of_step(self.job, scale, self.planner.plan(self.job, scale).tile)
            for scale in scales
        )

    def _first_image(self) -> Tensor:
        shape = self.job.scales[0].shape
        if self.after is None:
            return self.setup.initial_image(shape)
        return self.setup.image_of(self.after.pixels.to(self.setup.device), shape)

    def _objective(self, scale: Scale) -> AdaptiveObjective:
        """Return the objective of a scale, in tiles that fit into memory."""
        setup, job = self.setup, self.job
        processes = self.planner.sharing(job, scale)

        def on_tile(
            done: int, total: int, window: tuple[slice, slice] | None, pixels: Tensor | None
        ) -> None:
            # Tiles of an average, of other colours or of a composite cannot be shown alone.
            if pixels is not None:
                is_shown = setup.shows_image and not job.recipe.ema
                pixels = pixels.detach().clamp(0, 1) if is_shown else None
            tile = TileDone(self.step + 1, done, total, window, pixels, scale.shape)
            assert self.steering.watch is not None
            self.steering.watch(tile)

        return AdaptiveObjective(
            lambda tile: setup.objective(
                scale, tile, processes, on_tile if self.steering.watch is not None else None
            ),
            self.planner.plan(job, scale).tile,
            lambda tile, error: self.planner.smaller(job, scale, tile, error),
        )

    def _optimizer(
        self, image: Tensor, objective: AdaptiveObjective, scale: Scale, moments: AdamMoments | None
    ) -> ImageOptimizer:
        return OPTIMIZERS[self.job.recipe.optimizer](
            self.job.recipe,
            image,
            objective,
            grey=self.setup.grey,
            moments=moments,
            history=self.planner.plan(self.job, scale).memory.history,
        )

    def _apply(
        self, change: Change, current: Tensor, scale: Scale
    ) -> tuple[Tensor, AdaptiveObjective | None] | None:
        """Apply a change; return the image to continue from, and the objective if it changed.

        Returns None if nothing changed. A change that is not possible leaves the run as it was.
        """
        picture = self.setup.shown(current)
        found: dict[str, Any] = {}
        objective: AdaptiveObjective | None = None
        try:
            found, objective = self._apply_to_job(change, scale)
        except (Cancelled, ProcessLost):
            raise
        except (ValueError, TypeError, NstError) as error:
            self.steering.tell(f"Not changed: {error}")
        except (MemoryError, RuntimeError) as error:
            # Other processes would wait for one that is out of memory alone.
            if not is_out_of_memory(error) or self.planner.processes.count > 1:
                raise
            clear_frames(error.__traceback__)
            release(self.device)
            self.steering.tell("Not changed: there is not enough memory for it at this size.")
        for strokes in change.strokes:
            picture = _painted(picture, strokes)
            found["painted_pixels"] = int(strokes.where.sum()) + found.get("painted_pixels", 0)
        if not found:
            return None
        self.steered.append({"after_step": self.step, **found})
        self.metadata = self._metadata()
        return self.setup.image_of(picture, scale.shape), objective

    def _apply_to_job(
        self, change: Change, scale: Scale
    ) -> tuple[dict[str, Any], AdaptiveObjective | None]:
        """Change the job; return what changed, and the objective if anything did."""
        job = self.job.changed(change)
        found = self.job.differences(job)
        if not found:
            return {}, None
        if found.keys() == {"learning_rate"}:
            self.job = self.setup.job = job
            return found, None
        network = self.setup.network
        if network_layers(job.recipe) != network_layers(self.job.recipe):
            network = self._network(job.recipe)
        before = self.job, self.setup
        self.job, self.setup = job, RunSetup(job, network, self.planner.image_device)
        try:
            objective = self._objective(scale)
        except BaseException:
            self.job, self.setup = before
            raise
        if not found.keys().isdisjoint(("guides", "region", "exemplar_region")):
            for sentence in job.small_regions():
                self.steering.tell(sentence)
        return found, objective

    def _network(self, recipe: Recipe) -> VGG19:
        layers = network_layers(recipe)
        network = network_of(recipe, layers, self.pretrained, self.dtype).to(self.device)
        network.check_cancelled = self.steering.check_cancelled
        return network

    def _metadata(self) -> dict[str, Any]:
        job, recipe = self.job, self.job.recipe
        if self.after is not None:  # as if both runs were one
            recipe = recipe.replace(steps=self.after.step + recipe.steps)
        metadata = run_metadata(
            job.name, recipe, job.images, self.pretrained, self.device, self.dtype, job.arguments
        )
        metadata |= {"forecast": self.estimate.metadata()}
        return metadata | ({"steered": list(self.steered)} if self.steered else {})


def _painted(picture: Tensor, strokes: Strokes) -> Tensor:
    """Return an image (1, 3, H, W) with strokes on it, resampled to its size."""
    paint = to_tensor(strokes.picture, picture.device)
    where = torch.from_numpy(strokes.where.astype("float32"))[None, None].to(picture.device)
    shape = (picture.shape[2], picture.shape[3])
    return torch.lerp(picture, resize(paint, shape), resize(where, shape, smooth=False))
