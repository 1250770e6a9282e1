"""What to run, and where the result belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_nst.engine.checkpoint.saved_runs import SavedRun
from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.read import LayerSlice, OriginalPixels

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.job import Job
    from napari_nst.engine.steering import Steering

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RunRequest:
    """What a widget asks for when Run is pressed; complete when constructed."""

    name: str  # of the result layer
    position: Position  # of the result layer
    intensity: Intensity  # how the result layer's values are displayed
    recipe: Recipe
    function: str  # of `napari_nst`, such as `stylize` or `compare_textures`
    # Reads the layers in the run's thread, which may take long, and returns the function's other
    # arguments. A function that makes several images gets its recipe from here, too.
    read: Callable[[], dict[str, Any]]
    # Begins the run instead of the function, for one that yields no iterations, such as a stack.
    begin: Callable[[Progress, Steering], Iterator[Iteration]] | None = None
    axes: Mapping[str, Sequence[Any]] | None = None  # of a sweep: fields and their values
    # Makes the result layer, if not a `LiveLayer`.
    make_layer: Callable[[ViewerModel, RunRequest], Any] | None = None
    source: LayerSlice | None = None  # the image that the result is compared with
    is_beside: bool = False  # whether the result is placed beside the source, not over it
    keep_dtype: bool = False  # whether the result has the dtype of the input layer
    guides: tuple[Layer, ...] = ()  # above the content, and drawn on: the result is put below them
    original: OriginalPixels | None = None  # pixels of the input layer that the result keeps
    after_run: Callable[[Any], None] | None = None  # called with the layer of a finished run
    controls: Mapping[str, Any] = field(default_factory=dict)  # values of the widget's controls
    saved: SavedRun | None = None  # the interrupted run that this one recovers
    losses: Mapping[str, Any] = field(default_factory=dict)  # of that run

    @property
    def is_single(self) -> bool:
        """Whether the run makes one image, and can be steered, continued, inspected and swept."""
        return self.function in ("stylize", "synthesize", "reconstruct") and self.axes is None

    def beside_source(self) -> RunRequest:
        """Return the request of a result that is placed to the right of its source."""
        if self.source is None or self.is_beside:
            return self
        tiles = 3 if self.after_run is not None else 1  # a seamless texture is repeated around it
        position = self.position.beside(self.source.position, tiles)
        return replace(self, position=position, is_beside=True)

    def start(
        self, progress: Progress, steering: Steering, after: Iteration | None = None
    ) -> Iterator[Iteration]:
        """Read the layers, in the run's thread; return the iterations, those after one if given."""
        import napari_nst

        if self.begin is not None:
            return self.begin(progress, steering)
        function: Callable[..., Iterator[Iteration]] = getattr(napari_nst, self.function)
        if self.saved is not None and after is None:
            progress("reading the saved state", 0, 0)
            self.read()  # while the state is there
            return napari_nst.resume(self.saved.path, progress, steering)
        progress("reading the layers", 0, 0)
        function = partial(function, **self.read(), progress=progress, steering=steering)
        if self.axes is not None:
            return napari_nst.sweep(lambda recipe: function(recipe=recipe), self.recipe, self.axes)
        if self.is_single:
            return function(recipe=self.recipe, after=after)
        return function()

    def build_job(self) -> Job:
        """Read the layers and return the checked job, to inspect what it computes."""
        import napari_nst

        check: Callable[..., Job] = getattr(napari_nst, f"order_to_{self.function}")
        return check(recipe=self.recipe, **self.read())
