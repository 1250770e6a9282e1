"""One run: scale after scale, step after step, an `Iteration` each."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from napari_nst.engine.checkpoint.codec import RunState
from napari_nst.engine.checkpoint.saved_runs import Checkpoints
from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.images.convert import painted, resize
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.job import Change, Job
from napari_nst.engine.job.schedule import Scale, continued
from napari_nst.engine.objective.objective import summarise
from napari_nst.engine.optim.image_optimizer import AdamMoments, ImageOptimizer, NotFinite
from napari_nst.engine.optim.optimizer import OPTIMIZERS
from napari_nst.engine.run.phases import Setups, same_objective
from napari_nst.engine.run.provenance import run_metadata
from napari_nst.engine.run.resume import absolute_weights, differences, machine, restored
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.run.time_estimate import estimate_run
from napari_nst.engine.steering import Steering, TileDone
from napari_nst.engine.tiling.budget import AdaptiveObjective, TilePlanner, work_of_step
from napari_nst.engine.torch_errors import explained_errors, why_refused
from napari_nst.engine.vgg.weights import PretrainedVGG, Progress, load
from napari_nst.errors import Cancelled, NstError
from napari_nst.recipe import CONTROLS

MOST_FAILURES = 3
"""After so many steps in a row whose numbers are not finite, a run ends."""


def run(
    job: Job,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Generator[Iteration, None, None]:
    """Return the iterations of a job; the arguments are those of `stylize`.

    Everything slow happens from the first `next` on. Raises ValueError if the run cannot continue
    after the given iteration.
    """
    if steering is not None:
        steering.check_usable()
    if after is not None:
        if after.panels:
            raise ValueError(
                "`after` is one of several images made in turn, which cannot be continued; give "
                "the last iteration of a single one."
            )
        keep = job.keep_outside
        if keep is not None and after.shape != keep.picture.shape:
            raise ValueError(
                "`after` shows another image than the one whose pixels this run keeps; give the "
                "last iteration of a run on the same image."
            )
        scales = continued(job.scales, job.recipe.steps, after.shape)
        job = replace(job, scales=scales)
    return _iterate(job, progress, steering or Steering(), after)


def resume(
    state: RunState, path: Path, progress: Progress | None = None, steering: Steering | None = None
) -> Generator[Iteration, None, None]:
    """Return the iterations of an interrupted run, whose state is in a file of this process."""
    if steering is not None:
        steering.check_usable()
    return _iterate(state.job, progress, steering or Steering(), state=state, path=path)


def _iterate(
    job: Job, progress: Progress | None, steering: Steering, after: Iteration | None = None,
    state: RunState | None = None, path: Path | None = None,
) -> Generator[Iteration, None, None]:  # fmt: skip
    try:
        with Checkpoints(steering, path) as saved, explained_errors(job.recipe, job.scales):
            weights = state.weights if state else job.recipe.weights
            this = Run(job, load(weights, progress), steering, saved, after, state)
            state = None  # the run frees its memory
            if progress is not None:
                progress(this.announcement, 0, 0)
            yield from this.iterations()
    except Cancelled:
        if not steering.stopped:
            raise


class Run:
    """A job under way, and how steering changes it."""

    setup: RunSetup  # of the current phase
    objective: AdaptiveObjective  # of the current scale
    optimizer: ImageOptimizer  # of the current scale and objective

    def __init__(
        self, job: Job, pretrained: PretrainedVGG, steering: Steering, saved: Checkpoints,
        after: Iteration | None, state: RunState | None,
    ) -> None:  # fmt: skip
        self.job = job
        self.pretrained = pretrained
        self.steering = steering
        self.saved = saved
        self.after = after
        self.state = state
        self.told_of_failure = False
        # Steps and seconds of the run that this one continues.
        self.earlier = (after.step, after.seconds) if after else (0, 0.0)
        self.began = time.time()
        self.step = self.earlier[0]
        self.steered: list[dict[str, Any]] = list(after.facts.get("steered", ())) if after else []
        self.resumed: list[dict[str, Any]] = list(after.facts.get("resumed", ())) if after else []
        if state is not None:
            self.earlier, self.began, self.step = state.earlier, state.began, state.step
            self.steered = list(state.steered)
            self.resumed = [*state.resumed, {"after_step": state.step}]
        self.device = choose_device(job.recipe.device)
        self.dtype = choose_precision(job.recipe.precision, self.device)
        self.planner = TilePlanner(job, self.device, self.dtype, steering.tell)
        self.machine = machine(pretrained, self.device, self.dtype)
        if state is not None:
            self.resumed[-1] |= differences(state, self.machine, self.planner)
        self.setups = Setups(
            pretrained, self.device, self.dtype, self.planner.image_device, steering.check_cancelled
        )
        first = job.scales[state.index if state else 0]
        self.setup, self.phase = self.setups.at(job, first), first.phase
        plans = self.planner.plans(job)
        if state is None:
            processes = self.planner.sharing(job, job.scales[-1]).count
            estimate = estimate_run(job, plans, self.setups, self.setup, processes)
            self.estimate, self.announcement = estimate.metadata(), str(estimate)
            for sentence in self.planner.short_histories(job):
                steering.tell(sentence)
        else:
            self.estimate = state.estimate
            self.announcement = f"The run goes on after step {state.step} of {state.steps}."
        self.rates: list[float] = self.estimate.get("rates") or [1.0] * (1 + len(job.recipe.phases))
        self.metadata = self._metadata()

    def iterations(self) -> Iterator[Iteration]:
        """Yield an iteration per step. Closing the generator ends the run."""
        state, self.state = self.state, None  # frees its memory when it is restored
        first = state.index if state else 0
        before, began, done = self.earlier[1], time.perf_counter(), 0.0
        # A list, so that the large image can be freed before the next scale.
        start = [] if state else [self._first_image()]
        moments: AdamMoments | None = None
        reused: AdaptiveObjective | None = None
        for index, scale in enumerate(self.job.scales[first:], start=first):
            later = self._work_of(self.job.scales[index + 1 :])
            already = 0
            if state is not None:
                already, before = state.taken, state.seconds
                saved = self._restore(state, scale)
                state = None  # what is left of it takes memory
                yield saved
                del saved
            else:
                self._begin_scale(scale, start, moments, reused)
            moments = reused = None
            for taken in range(already + 1, scale.steps + 1):
                self.steering.check_cancelled()
                self._take_changes(scale)
                losses = summarise(self.optimizer.step())
                self.step += 1
                work = self._work(scale, self.objective.tile)
                done += work
                seconds = time.perf_counter() - began
                left = seconds * (work * (scale.steps - taken) + later) / done
                iteration = self._iteration(scale, losses, before + seconds, left)
                if self._must_end(self.optimizer.failures):
                    pixels = self.setup.finished(iteration.pixels)
                    yield replace(iteration, steps=self.step, seconds_left=0.0, pixels=pixels)
                    return
                yield iteration
                self.saved.save_if_due(partial(self._state, index, taken, iteration))
                del iteration
            moments = self.optimizer.moments
            start.append(self.optimizer.image)
            same = self._has_objective_of(self.job.scales[index + 1 : index + 2], scale)
            reused = self.objective if same else None
            del self.optimizer, self.objective

    def _begin_scale(
        self, scale: Scale, start: list[Tensor], moments: AdamMoments | None,
        reused: AdaptiveObjective | None,
    ) -> None:  # fmt: skip
        """Begin a scale with the image of the scale before, which is taken out of its list.

        The objective of the scale before is used again if it is the same.
        """
        periodic = self.job.recipe.padding == "circular"
        if reused is not None:
            self.setup.job = self.job.in_phase(scale)
            reused.begin_again()
        elif scale.phase != self.phase:
            self.setup = self.setups.at(self.job, scale, self.setup)
        if scale.phase != self.phase:
            moments = None  # they are those of another objective
        self.phase = scale.phase
        self.objective = reused or self._objective(scale)
        image = resize(start.pop(), scale.shape, periodic=periodic).clamp(0, 1)
        self.optimizer = self._optimizer(image, self.objective, scale, moments)

    def _has_objective_of(self, following: Sequence[Scale], scale: Scale) -> bool:
        """Whether the following scale, if there is one, has the objective of a scale."""
        return any(
            one.shape == scale.shape
            and same_objective(self.job.in_phase(one), self.job.in_phase(scale))
            for one in following
        )

    def _restore(self, state: RunState, scale: Scale) -> Iteration:
        """Go on with a saved state; return its iteration."""
        self.objective = self._objective(scale, state.tile)
        self.optimizer = restored(state, self.objective, self.setup)
        self.saved.has_yielded = True
        return self._iteration(scale, state.losses, state.seconds, state.seconds_left)

    def _take_changes(self, scale: Scale) -> None:
        """Apply what the user has changed since the last step, as far as it is possible."""
        change = self.steering.take_changes()
        if change is None:
            return
        current, former = self.optimizer.current, (self.job, self.setup)
        changed = self._apply(change, current, scale)
        if changed is None:
            return
        image, new = changed
        moments = self.optimizer.moments
        del self.optimizer  # before the next one takes memory
        try:
            self.optimizer = self._optimizer(image, new or self.objective, scale, moments)
            self.objective = new or self.objective
        except NotFinite as error:
            self.steering.tell(f"Not changed: {error}")
            self.job, self.setup = former
            self.steered.pop()
            self.metadata = self._metadata()
            self.optimizer = self._optimizer(current, self.objective, scale, moments)

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
            f"{failures} steps in a row gave numbers that are not finite. Choose smaller weights, "
            "a smaller `learning_rate`, or set `precision='float32'`."
        )
        return True

    def _state(self, index: int, taken: int, iteration: Iteration) -> RunState:
        names = ("job", "began", "step", "earlier", "steered", "resumed", "estimate", "machine")
        return RunState(
            **{name: getattr(self, name) for name in names},
            index=index,
            taken=taken,
            seconds=iteration.seconds,
            seconds_left=iteration.seconds_left,
            weights=absolute_weights(self.job.recipe),
            planner=self.planner.state(),
            tile=self.objective.tile,
            losses=iteration.losses,
            objective=self.objective.state(),
            optimizer=self.optimizer.state(),
        )

    def _iteration(
        self, scale: Scale, losses: dict[str, float], seconds: float, seconds_left: float
    ) -> Iteration:
        keep = self.job.keep_outside
        of_phase = {"phase": scale.phase} if self.job.recipe.phases else {}
        steps = self.earlier[0] + sum(one.steps for one in self.job.scales)
        pixels = self.setup.shown(self.optimizer.image)
        return Iteration(
            step=self.step,
            steps=steps,
            losses=losses,
            shape=keep.picture.shape if keep else scale.shape,
            seconds=seconds,
            seconds_left=seconds_left,
            pixels=self.setup.finished(pixels) if self.step == steps else pixels,
            alpha=self.setup.alpha_at(scale),
            is_grey=self.setup.shows_one_channel,
            full_shape=self.job.full_shape,
            facts={**self.metadata, **of_phase, "tile": self.objective.tile},
            free=keep.mask if keep else None,
        )

    def _work_of(self, scales: Sequence[Scale]) -> float:
        return sum(
            scale.steps * self._work(scale, self.planner.plan(self.job, scale).tile)
            for scale in scales
        )

    def _work(self, scale: Scale, tile: int) -> float:
        """Return the cost of a step; those of all phases can be compared."""
        return work_of_step(self.job, scale, tile) * self.rates[scale.phase]

    def _first_image(self) -> Tensor:
        shape = self.job.scales[0].shape
        if self.after is None:
            return self.setup.initial_image(shape)
        return self.setup.image_of(self.after.pixels.to(self.setup.device), shape)

    def _objective(self, scale: Scale, tile: int | None = None) -> AdaptiveObjective:
        """Return the objective of a scale, in tiles of a given size or that fit into memory."""
        setup, job = self.setup, self.job
        processes = self.planner.sharing(job, scale)

        def on_tile(
            done: int, total: int, window: tuple[slice, slice] | None, pixels: Tensor | None
        ) -> None:
            # Tiles of an average, of other colours or of a composite cannot be shown alone.
            if pixels is not None:
                is_shown = setup.shows_image and not setup.job.recipe.ema
                pixels = pixels.detach().clamp(0, 1) if is_shown else None
            tile = TileDone(self.step + 1, done, total, window, pixels, scale.shape)
            assert self.steering.watch is not None
            self.steering.watch(tile)

        return AdaptiveObjective(
            lambda tile: setup.objective(
                scale, tile, processes, on_tile if self.steering.watch is not None else None
            ),
            self.planner.plan(job, scale).tile if tile is None else tile,
            lambda tile, error: self.planner.smaller(job, scale, tile, error),
        )

    def _optimizer(
        self, image: Tensor, objective: AdaptiveObjective, scale: Scale, moments: AdamMoments | None
    ) -> ImageOptimizer:
        recipe = self.setup.job.recipe
        return OPTIMIZERS[recipe.optimizer](
            recipe,
            image,
            objective,
            grey=self.setup.grey,
            moments=moments,
            history=self.planner.plan(self.job, scale).memory.history,
        )

    def _apply(
        self, change: Change, current: Tensor, scale: Scale
    ) -> tuple[Tensor, AdaptiveObjective | None] | None:
        """Apply a change that is possible; return the image and any new objective, or None."""
        picture, recipe = self.setup.shown(current), self.setup.job.recipe
        found: dict[str, Any] = {}
        former, objective = self.job, None
        try:
            found, objective = self._apply_to_job(change, scale)
        except (ValueError, TypeError, OSError, NstError, MemoryError, RuntimeError) as error:
            reason = why_refused(error, self.device, self.planner.processes.count)
            self.steering.tell(f"Not changed: {reason}")
        if self.job is not former:
            known = former.notes_on_regions()
            for sentence in self.job.notes_on_regions():
                if sentence not in known:
                    self.steering.tell(sentence)
        for strokes in change.strokes:
            picture = painted(picture, strokes.picture, strokes.where)
            found["painted_pixels"] = int(strokes.where.sum()) + found.get("painted_pixels", 0)
        if not found:
            return None
        self.steered.append({"after_step": self.step, **found})
        self.metadata = self._metadata()
        if objective is None and not change.strokes and self.setup.job.recipe == recipe:
            return None  # another phase has changed
        return self.setup.image_of(picture, scale.shape), objective

    def _apply_to_job(
        self, change: Change, scale: Scale
    ) -> tuple[dict[str, Any], AdaptiveObjective | None]:
        """Change the job; return what changed, and the objective if anything did."""
        job = self.job.changed(change)
        found = self.job.differences(job)
        if not found:
            return {}, None
        new = job.in_phase(scale)
        # The objective does not depend on the recipes of other phases.
        if same_objective(self.setup.job, new) and found.keys() <= CONTROLS.keys():
            self.job, self.setup.job = job, new
            return found, None
        before = self.job, self.setup
        self.job, self.setup = job, self.setups.at(job, scale, self.setup)
        try:
            objective = self._objective(scale)
        except BaseException:
            self.job, self.setup = before
            raise
        return found, objective

    def _metadata(self) -> dict[str, Any]:
        job, recipe, arguments = self.job, self.job.recipe, dict(self.job.arguments)
        if job.own_losses:
            arguments["losses"] = [one.metadata for one in job.own_losses]
        if self.earlier[0]:  # as if both runs were one
            recipe = recipe.replace(steps=self.earlier[0] + recipe.steps)
        metadata = run_metadata(
            job.name, recipe, job.images, self.pretrained, self.device, self.dtype, arguments
        )
        metadata |= {"forecast": self.estimate}
        lists = {"steered": list(self.steered), "resumed": list(self.resumed)}
        return metadata | {name: one for name, one in lists.items() if one}
