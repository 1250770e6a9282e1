"""A job as a widget orders it: what to run, and where its result belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.intensity import Values
from napari_nst.viewer.layers.keep_outside import Untouched
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.layers.position import Place
from napari_nst.viewer.run.engine_call import EngineCall
from napari_nst.viewer.run.worker import Progress

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering


@dataclass(frozen=True)
class RunRequest:
    """What a widget asks for when Run is pressed.

    Attributes
    ----------
    name : str
        Of the layer to come.
    place : Place
        Where it lies.
    values : Values
        What its numbers mean.
    recipe : Recipe
        What to do.
    names : tuple of str
        What the images are called, in the order in which the engine gets them.
    start : callable
        Called in the worker thread, with what shows how the network arrives, what steers, and the
        iteration to go on from, if any; returns the iterations.
    keep_dtype : bool
        Whether the layer's numbers are of the type that `values` come from.
    afterwards : callable, optional
        Called with the layer when the run has ended with a picture.
    untouched : Untouched, optional
        What of the content the layer shows as it is.
    layer : callable
        Makes what the run draws into, of the viewer and this job.
    controls : mapping
        What the widget's own controls said, to be kept with the result.
    call : EngineCall, optional
        Of a job that makes one picture, which can be steered, go on, be looked into and be swept.
        Several in turn have none.
    """

    name: str
    place: Place
    values: Values
    recipe: Recipe
    names: tuple[str, ...]
    start: Callable[[Progress, Steering, Iteration | None], Iterator[Iteration]]
    keep_dtype: bool = False
    afterwards: Callable[[Any], None] | None = None
    untouched: Untouched | None = None
    layer: Callable[[ViewerModel, RunRequest], Any] = LiveLayer.of_job
    controls: Mapping[str, Any] = field(default_factory=dict)
    call: EngineCall | None = None

    @property
    def is_single(self) -> bool:
        """Whether it makes one picture, and not several in turn."""
        return self.call is not None
