"""The state of a run as a JSON text and arrays, and back.

Reading constructs only the classes in `_CLASSES` and the types in `decode`; it executes no code of
a file.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from napari_nst.engine.job.guides import Guides, KeepOutside
from napari_nst.engine.job.inpainting import Inpainting
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_target import StyleTarget
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.tensor_file import Block
from napari_nst.recipe import Recipe


@dataclass(frozen=True, eq=False)
class RunState:
    """A run after a step: all that the remaining steps depend on."""

    job: Job  # with the changes that the user has made
    index: int  # of the scale
    taken: int  # steps at this scale
    began: float  # seconds since 1970
    step: int  # of the run, counted on from the run that it continues
    seconds: float
    seconds_left: float
    earlier: tuple[int, float]  # steps and seconds of the run that this one continues
    steered: list[dict[str, Any]]
    resumed: list[dict[str, Any]]
    estimate: dict[str, Any]
    weights: str  # name or absolute path
    machine: dict[str, Any]  # what results depend on: device, precision, threads, versions
    planner: dict[str, Any]
    tile: int  # of the objective
    losses: dict[str, float]  # of the image after this step
    objective: dict[str, Any]
    optimizer: dict[str, Any]

    @property
    def steps(self) -> int:
        """Number of steps of the run, counted as `step` is."""
        return self.earlier[0] + sum(scale.steps for scale in self.job.scales)

    def __post_init__(self) -> None:
        scale = self.job.scales[self.index]
        if not (self.index >= 0 and 1 <= self.taken <= scale.steps):
            raise ValueError("The step of the state is not one of its job.")


_CLASSES = {
    one.__name__: one
    for one in (Calibration, Guides, InputImage, Job, KeepOutside, RunState, Scale, StyleTarget)
}

_OF_INPAINTING = ("styles", "guides", "keep_outside")
"""Fields that a job takes from its inpainting, if it has one; a state has them once."""

_DTYPES = {
    "bool": "BOOL", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip


class Encoder:
    """Encodes values as JSON data; `blocks` has the arrays among them, each once."""

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self._names: dict[tuple[Any, ...], str] = {}

    def text(self, value: Any) -> str:
        """Return a value as JSON text; TypeError if it holds what a state cannot hold."""
        return json.dumps(self._encoded(value))

    def _encoded(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, list):
            return [self._encoded(one) for one in value]
        if isinstance(value, tuple):
            return {"tuple": [self._encoded(one) for one in value]}
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop]}
        if isinstance(value, Recipe):
            return {"Recipe": value.to_dict()}
        if isinstance(value, Mapping):
            pairs = [[self._encoded(key), self._encoded(one)] for key, one in value.items()]
            return {"dict": pairs}
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, Inpainting):
            names = ("picture", "mask", "window", "exemplars", "exemplar_mask", "longest")
            return {"Inpainting": [self._encoded(getattr(value, name)) for name in names]}
        if _CLASSES.get(type(value).__name__) is type(value):
            return {type(value).__name__: self._fields(value)}
        torch = sys.modules.get("torch")  # without torch there are no tensors
        if torch is not None and isinstance(value, torch.Tensor):
            return {"tensor": self._tensor(value)}
        raise TypeError(f"A state cannot hold {value!r}; give plain data or arrays.")

    def _fields(self, value: Any) -> dict[str, Any]:
        names = [field.name for field in dataclasses.fields(value)]
        if isinstance(value, Job) and value.inpainting is not None:
            names = [name for name in names if name not in _OF_INPAINTING]
        return {name: self._encoded(getattr(value, name)) for name in names}

    def _array(self, array: np.ndarray[Any, Any]) -> str:
        key = (array.ctypes.data, array.shape, array.strides, array.dtype.str)

        def read() -> memoryview:
            native = array.astype(array.dtype.newbyteorder("="), copy=False)
            return np.ascontiguousarray(native).reshape(-1).view(np.uint8).data

        return self._block(key, array.dtype.name, array.shape, array.nbytes, read)

    def _tensor(self, tensor: Any) -> str:
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        uint8 = sys.modules["torch"].uint8

        def read() -> memoryview:
            array = tensor.detach().cpu().contiguous().flatten().view(uint8).numpy()
            return array.data  # type: ignore[no-any-return]

        kind = str(tensor.dtype).removeprefix("torch.")
        return self._block(key, kind, tuple(tensor.shape), tensor.nbytes, read)

    def _block(
        self,
        key: tuple[Any, ...],
        dtype: str,
        shape: tuple[int, ...],
        nbytes: int,
        read: Callable[[], memoryview],
    ) -> str:
        if dtype not in _DTYPES:
            raise TypeError(f"A state cannot hold an array of {dtype}; convert it first.")
        name = self._names.setdefault(key, str(len(self._names)))
        self.blocks.setdefault(name, Block(_DTYPES[dtype], shape, nbytes, read))
        return name


def decode(text: str, tensor: Callable[[str], Any]) -> Any:
    """Return the value of a text, given a function that returns the tensor of a name.

    Raises any error for a text that `Encoder` did not write.
    """
    tensors: dict[str, Any] = {}

    def found(name: str) -> Any:
        if name not in tensors:
            tensors[name] = tensor(name)
        return tensors[name]

    def value_of(data: Any) -> Any:
        if isinstance(data, list):
            return [value_of(one) for one in data]
        if not isinstance(data, dict):
            return data
        ((kind, content),) = data.items()
        if kind == "tensor":
            return found(content)
        if kind == "array":
            return np.asarray(found(content))
        if kind == "tuple":
            return tuple(value_of(content))
        if kind == "slice":
            return slice(*content)
        if kind == "Recipe":
            return Recipe.from_dict(content)
        if kind == "dict":
            return {value_of(key): value_of(one) for key, one in content}
        if kind == "Inpainting":
            return Inpainting(*value_of(content))
        fields = {name: value_of(one) for name, one in content.items()}
        if kind == "Job" and fields["inpainting"] is not None:
            fields |= {name: getattr(fields["inpainting"], name) for name in _OF_INPAINTING}
        return _checked(_CLASSES[kind](**fields))

    return value_of(json.loads(text))


def _checked(value: Any) -> Any:
    """Return an object, or raise TypeError or ValueError if a field is of another type."""
    for name, hint in get_type_hints(type(value)).items():
        if not _is_of(getattr(value, name), hint):
            raise TypeError(f"{name} of {type(value).__name__} is of another type.")
    if isinstance(value, InputImage):
        arrays = [(value.rgb, (*value.rgb.shape[:2], 3))]
        if value.alpha is not None:
            arrays.append((value.alpha, value.shape))
        if any(one.shape != shape or one.dtype != np.float32 for one, shape in arrays):
            raise ValueError("An image of the state has another shape or type.")
    return value


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type; only sequences are checked item by item."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(_is_of(value, one) for one in inner)
    if kind is Any:
        return True
    if kind is float:
        return isinstance(value, (int, float))
    if kind is Sequence:
        is_list = isinstance(value, (list, tuple))
        return is_list and all(_is_of(one, inner[0]) for one in value)
    return isinstance(value, kind)
