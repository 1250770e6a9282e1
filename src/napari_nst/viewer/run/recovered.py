"""What a saved state says about a run of the viewer, and the request that recovers the run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap

from napari_nst.engine.checkpoint.saved_runs import (
    SavedRun,
    read_about,
    read_recipe,
    read_state,
)
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.position import Position, layer_transform
from napari_nst.viewer.layers.read import OriginalPixels
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.request import RunRequest

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job


def about_of(request: RunRequest, losses: LossTrace) -> dict[str, Any]:
    """Return what recovers a run besides its state, as plain data and arrays."""
    position, intensity, original = request.position, request.intensity, request.original
    return {
        "title": request.name,
        "program": "viewer",
        "position": {
            "shape": tuple(position.shape),
            "axes": tuple(position.axes),
            "index": tuple(position.index),
            "transform": {
                **position.transform,
                "units": [str(unit) for unit in position.transform["units"]],
            },
        },
        "intensity": {
            "limits": intensity.limits,
            "dtype": str(intensity.dtype),
            "is_grey": intensity.is_grey,
            "colormap": _colormap_data(intensity.colormap),
        },
        "keep_dtype": request.keep_dtype,
        "original": None if original is None else original.values,
        "controls": dict(request.controls),
        "losses": {name: np.array(column) for name, column in losses.columns.items()},
    }


def recovered_request(saved: SavedRun) -> RunRequest:
    """Return the request that recovers an interrupted run; ValueError if its file is no state."""
    about, recipe = read_about(saved.path), read_recipe(saved.path)
    images: dict[str, Any] = {}

    def read() -> dict[str, Any]:
        if not images:
            images.update(_arguments(read_state(saved.path).job))
        return images

    request = RunRequest(
        name=saved.title,
        position=_flat(saved.shape),
        intensity=Intensity(None, np.dtype(np.uint8), is_grey=saved.is_grey),
        recipe=recipe,
        function=saved.job,
        read=read,
        saved=saved,
    )
    if about.get("program") != "viewer":  # the terminal has no layers
        return request
    try:
        return replace(
            request,
            position=_position(about["position"]),
            intensity=_intensity(about["intensity"]),
            keep_dtype=bool(about["keep_dtype"]),
            original=None if about["original"] is None else OriginalPixels(about["original"]),
            controls=dict(about["controls"]),
            losses={name: np.asarray(one, float) for name, one in about["losses"].items()},
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{saved.path} does not say where the result layer belongs; discard this run."
        ) from error


def _arguments(job: Job) -> dict[str, Any]:
    """Return the arguments of the public function, besides the recipe, that make a job."""
    if job.name == "reconstruct":
        return {"image": job.content, "init_image": job.start}
    if job.name == "stylize":
        guides, ratios = job.guides, job.relative_pixels
        labels = {
            "guide": guides.content,
            "style_guides": list(guides.styles),
            "keep_unlabelled": guides.keep_unlabelled,
        } if guides else {}  # fmt: skip
        sizes = None if ratios is None else [1.0, *ratios]
        images = {"content": job.content, "style": list(job.styles), "init_image": job.start}
        return {**images, "pixel_sizes": sizes, **labels}
    filling, start = job.inpainting, job.start
    if filling is None:
        return {"exemplar": list(job.styles), "shape": job.arguments["shape"], "init_image": start}
    if start is not None:  # the part that the run works on
        whole = filling.picture.rgb.copy()
        whole[filling.window] = start.rgb
        start = replace(filling.picture, rgb=whole)
    return {
        "exemplar": None if filling.exemplars is None else list(filling.exemplars),
        "into": filling.picture,
        "region": filling.mask,
        "exemplar_region": filling.exemplar_mask,
        "init_image": start,
    }


def _flat(shape: tuple[int, int]) -> Position:
    """Return the position of a two-dimensional layer at the origin."""
    return Position(shape, (0, 1), (0, 0), layer_transform(Image(np.zeros((1, 1)))))


def _position(data: dict[str, Any]) -> Position:
    axes, index = tuple(map(int, data["axes"])), tuple(map(int, data["index"]))
    layer = Image(np.zeros((1,) * len(index)), **data["transform"])  # checks all, reads units
    height, width = map(int, data["shape"])
    return Position((height, width), (axes[0], axes[1]), index, layer_transform(layer))


def _intensity(data: dict[str, Any]) -> Intensity:
    limits, colormap = data["limits"], data["colormap"]
    if isinstance(colormap, dict):
        colormap = Colormap(**colormap)
    pair = None if limits is None else (float(limits[0]), float(limits[1]))
    return Intensity(pair, np.dtype(str(data["dtype"])), bool(data["is_grey"]), colormap)


def _colormap_data(colormap: Any) -> Any:
    if isinstance(colormap, str):
        return colormap
    return {
        "name": colormap.name,
        "colors": np.array(colormap.colors),
        "controls": np.array(colormap.controls),
        "interpolation": str(colormap.interpolation),
    }
