"""Reading weights: every published format, no other networks, and no execution of code."""

import hashlib
import io
import math
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_nst.engine.vgg.weights import formats
from napari_nst.engine.vgg.weights.formats import SHAPES, content_sha256, read
from napari_nst.errors import NstError
from napari_nst.recipe.layer_names import CONVOLUTIONS, LAYER_NAMES


@pytest.fixture(scope="module")
def parameters():
    values = np.random.default_rng(0).random(len(SHAPES))
    return {
        name: np.full(shape, value, np.float32)
        for (name, shape), value in zip(SHAPES.items(), values, strict=True)
    }


@pytest.fixture(scope="module")
def tensors(parameters):
    return {name: torch.from_numpy(array) for name, array in parameters.items()}


def torchvision_names(tensors, prefix="features."):
    def index(name):
        layer, part = name.split(".")
        return f"{prefix}{LAYER_NAMES.index(layer)}.{part}"

    return {index(name): tensor for name, tensor in tensors.items()}


def gatys_pickle(parameters, protocol=4):
    content = {
        "mean value": np.array([103.939, 116.779, 123.68]),
        "synset words": ["tench"],
        "param values": list(parameters.values()),
    }
    return pickle.dumps(content, protocol)


def gatys_wheel(content):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(formats.GATYS_MEMBER, content)
    return wheel.getvalue()


def saved(tensors, path, **options):
    torch.save(tensors, path, **options)
    return path


def test_shapes_are_those_of_the_published_network():
    assert SHAPES["conv1_1.weight"] == (64, 3, 3, 3)
    assert SHAPES["conv3_1.weight"] == (256, 128, 3, 3)
    assert SHAPES["conv5_4.bias"] == (512,)
    assert sum(map(math.prod, SHAPES.values())) == 20_024_384  # Simonyan & Zisserman 2014


@pytest.mark.parametrize(("prefix", "legacy"), [("features.", False), ("", True)])
def test_state_dict_of_torchvision(tmp_path, parameters, tensors, prefix, legacy):
    state = torchvision_names(tensors, prefix) | {"classifier.0.weight": torch.zeros(2, 2)}
    path = saved(state, tmp_path / "vgg.pth", _use_new_zipfile_serialization=not legacy)
    flavour, found = read(path)
    assert flavour == "torchvision"
    assert list(found) == list(SHAPES)
    assert content_sha256(found) == content_sha256(parameters)


def test_state_dict_of_gatys_pytorch_code(tmp_path, parameters, tensors):
    flavour, found = read(saved(tensors, tmp_path / "vgg_conv.pth"))
    assert flavour == "caffe"
    assert content_sha256(found) == content_sha256(parameters)


def test_johnsons_caffe_copy_has_torchvisions_names_but_caffes_input(tmp_path, tensors):
    state = torchvision_names(tensors) | {"classifier.1.weight": torch.zeros(2, 2)}
    assert read(saved(state, tmp_path / "vgg19-d01eb7cb.pth"))[0] == "caffe"


def test_safetensors_in_half_precision(tmp_path, tensors):
    state = torchvision_names({name: tensor.half() for name, tensor in tensors.items()})
    save_file(state, tmp_path / "vgg.safetensors")
    flavour, found = read(tmp_path / "vgg.safetensors")
    assert flavour == "torchvision"
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def test_keras_file(tmp_path, parameters):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "vgg19.h5"
    with h5py.File(path, "w") as file:
        for layer in CONVOLUTIONS:
            name = f"block{layer[4]}_conv{layer[6]}"
            kernel = parameters[f"{layer}.weight"].transpose(2, 3, 1, 0)
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = parameters[f"{layer}.bias"]
        file.create_group("block1_pool")
    flavour, found = read(path)
    assert flavour == "caffe"
    assert content_sha256(found) == content_sha256(parameters)


def test_keras_file_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "vgg19.h5").touch()
    with pytest.raises(NstError, match=r"needs h5py to be read: pip install .*napari-nst\[caffe\]"):
        read(tmp_path / "vgg19.h5")


# Protocol 3 names globals in plain text, so that the module of numpy 1 can be inserted.
@pytest.mark.parametrize("module", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_pickles_of_numpy_1_and_2(tmp_path, parameters, module):
    content = gatys_pickle(parameters, protocol=3)
    current = np.empty(0).__reduce__()[0].__module__.encode()
    (tmp_path / "vgg.pkl").write_bytes(content.replace(b"c" + current, b"c" + module))
    flavour, found = read(tmp_path / "vgg.pkl")
    assert flavour == "gatys"
    assert content_sha256(found) == content_sha256(parameters)


def test_a_wheel_with_another_network(tmp_path, parameters):
    (tmp_path / "a.whl").write_bytes(gatys_wheel(gatys_pickle(parameters)))
    with pytest.raises(NstError, match=r"a\.whl holds a .*\.pkl of sha256 \w{64}, not 1ab57bc7"):
        read(tmp_path / "a.whl")


class Attack:
    """Unpickling this with `pickle` makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def attacks(marker):
    yield {"param values": Attack(marker)}
    yield {"param values": [np.array([Attack(marker)], dtype=object)]}
    yield {Attack(marker).__reduce__()[0]: 0}


@pytest.mark.parametrize(
    ("suffix", "attack"),
    [(".pkl", 0), (".pkl", 1), (".pkl", 2), (".whl", 0), (".pth", 1), (".legacy.pth", 2)],
)
def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch, suffix, attack):
    marker, path = tmp_path / "executed", tmp_path / f"vgg{suffix}"
    content = list(attacks(marker))[attack]
    if suffix == ".whl":
        path.write_bytes(gatys_wheel(pickle.dumps(content)))
        sha256 = hashlib.sha256(pickle.dumps(content)).hexdigest()
        monkeypatch.setattr(formats, "GATYS_MEMBER_SHA256", sha256)
    elif suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization="legacy" not in suffix)
    with pytest.raises(NstError) as refusal:
        read(path)
    assert not marker.exists()
    assert str(refusal.value).startswith(str(path))
    assert "weights_only" not in str(refusal.value)  # which torch advises to switch off


@pytest.mark.parametrize(
    ("state", "description"),
    [
        ({"features.0.weight": (64, 3, 11, 11)}, "conv1_1.weight has shape (64, 3, 11, 11)"),
        (
            {f"features.{index}.weight": (64, 3, 3, 3) for index in range(13)},
            "conv1_1.bias is missing (it has 13 convolutions",
        ),
        (
            {"features.1.running_mean": (64,)},
            "is missing (it has 0 convolutions, VGG-19 has 16 and no batch norm",
        ),
        ({"conv1_1.weight": (64, 3, 3, 3)}, "conv1_1.bias is missing (it has 1 convolutions"),
    ],
)
def test_the_state_dict_of_another_network(tmp_path, state, description):
    tensors = {name: torch.zeros(shape) for name, shape in state.items()}
    with pytest.raises(NstError, match="is not a VGG-19") as refusal:
        read(saved(tensors, tmp_path / "other.pth"))
    assert description in str(refusal.value)


def test_weights_that_are_not_finite(tmp_path, tensors):
    damaged = {**tensors, "conv2_1.bias": torch.full((128,), torch.nan)}
    with pytest.raises(NstError, match=r"conv2_1\.bias holds values that are not finite"):
        read(saved(damaged, tmp_path / "vgg.pth"))


def test_file_that_holds_no_state_dict(tmp_path):
    with pytest.raises(NstError, match="holds a Tensor, not a state dict"):
        read(saved(torch.zeros(3), tmp_path / "vgg.pth"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pkl", ".whl", ".h5", ""])
@pytest.mark.parametrize("content", [b"", b"<html>503 Service Unavailable</html>"])
def test_garbage(tmp_path, suffix, content):
    if suffix == ".h5":
        pytest.importorskip("h5py")
    path = tmp_path / f"vgg{suffix}"
    path.write_bytes(content)
    with pytest.raises(NstError) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"{path} ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pkl"])
def test_truncated_file(tmp_path, parameters, tensors, suffix):
    path = tmp_path / f"vgg{suffix}"
    if suffix == ".pth":
        torch.save(tensors, path)
    elif suffix == ".pkl":
        path.write_bytes(gatys_pickle(parameters))
    else:
        path.write_bytes(formats.to_safetensors("caffe", parameters, "here"))
    os.truncate(path, 10**6)
    with pytest.raises(NstError, match="is damaged"):
        read(path)


def test_a_flipped_bit_in_a_cached_file_is_detected(tmp_path, parameters):
    content = bytearray(formats.to_safetensors("caffe", parameters, "here"))
    path = tmp_path / "caffe.safetensors"
    path.write_bytes(content)
    assert read(path)[0] == "caffe"
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(NstError, match="no longer has the sha256 that it records"):
        read(path)


def test_missing_file():
    with pytest.raises(NstError, match=r"nowhere\.pth could not be read: No such file"):
        read(Path("nowhere.pth"))
