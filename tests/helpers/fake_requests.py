"""Run requests for an image layer, which nothing runs."""

from functools import partial

import pytest

from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.run.request import RunRequest


def request_for(viewer, layer, *, name="a/b", steps=20, function="stylize", **options):
    """Return the request of a style transfer of a layer's shown slice."""
    image = shown_slice(layer, viewer.dims)
    return RunRequest(
        name=name, position=image.position, intensity=image.intensity,
        recipe=Recipe(steps=steps), function=function, read=partial(pytest.fail, "not run"),
        **options,
    )  # fmt: skip
