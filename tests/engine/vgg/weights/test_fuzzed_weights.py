"""Attacks on files of weights: each is refused in one sentence, in bounded memory."""

import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from napari_nst.engine.vgg.weights import formats
from napari_nst.errors import NstError
from tests.helpers.memory import memory_bounded

SMALL = {"conv1_1.weight": np.ones((64, 3, 3, 3), np.float32), "conv1_1.bias": np.ones(64, "f4")}
FREE = 2**28  # bytes


def refusal(path):
    """Return the sentence that refuses a file."""
    with memory_bounded(FREE), pytest.raises(NstError) as refused:
        formats.read(path)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    return said


def torch_file(state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def pickled(state):
    return pickle.dumps({"param values": list(state.values())}, 4)


def hdf5_file(state):
    h5py = pytest.importorskip("h5py")
    file = io.BytesIO()
    with h5py.File(file, "w") as tree:
        tree["block1_conv1/a_W"] = state["conv1_1.weight"].transpose(2, 3, 1, 0)
        tree["block1_conv1/a_b"] = state["conv1_1.bias"]
    return file.getvalue()


TENSORS = {name: torch.from_numpy(array) for name, array in SMALL.items()}
FILES = {
    "a.safetensors": save(SMALL),
    "a.pkl": pickled(SMALL),
    "a.pth": torch_file(TENSORS),
    "b.pth": torch_file(TENSORS, _use_new_zipfile_serialization=False),
    "a.h5": hdf5_file(SMALL),
}


@st.composite
def damaged(draw):
    """Return the name and the bytes of a file with some replaced; most damage is in its headers."""
    name = draw(st.sampled_from(sorted(FILES)))
    data = bytearray(FILES[name])
    header = min(len(data), 1500)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, header - 1) | st.integers(len(data) - header, len(data) - 1))
        put = draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8)]))
        data[at : at + len(put)] = put
    return name, bytes(data[: draw(st.integers(header // 2, len(data)))])


@settings(max_examples=150)
@given(file=damaged())
def test_a_damaged_file_is_one_sentence(tmp_path_factory, file):
    name, data = file
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    refusal(path)


def lying(**changes):
    """Return a safetensors file whose header says other things than are so."""
    entry = {"dtype": "F32", "shape": [64, 3, 3, 3], "data_offsets": [0, 6912]} | changes
    header = json.dumps({"conv1_1.weight": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(6912)


@pytest.mark.parametrize(
    "data",
    [
        lying(shape=[2**40, 2**20], data_offsets=[0, 2**62]),
        lying(data_offsets=[0, 2**63]),
        lying(data_offsets=[6912, 0]),
        lying(shape=[64, 3, 3, 4]),
        lying(dtype="F99"),
        lying(shape=[2**63, 2, 0, 0]),
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 9) + b'{"a": [[[' + b"[" * 100_000,
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_headers_that_lie(tmp_path, data):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    refusal(path)


def test_an_archive_that_unpacks_to_the_whole_memory_is_not_unpacked(tmp_path, monkeypatch):
    """A member of 300 MB in 1 MB, under both names of an archive that is read."""
    monkeypatch.setattr(formats, "LARGEST_FILE", 2 * 10**8, raising=False)
    packed = tmp_path / "a.whl"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in (formats.GATYS_MEMBER, "a/data.pkl", "a/version"):
            with archive.open(member, "w", force_zip64=True) as file:
                for _ in range(36):
                    file.write(bytes(2**23))
    assert "has 0.9 GB" in refusal(packed)
    assert "has 0.9 GB" in refusal(packed.rename(tmp_path / "a.pth"))


def test_a_large_file_is_not_read(tmp_path):
    for name in FILES:
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 10**12)  # takes no room on the disk
        assert "has 1000.0 GB" in refusal(tmp_path / name)


def test_a_tensor_of_few_bytes_and_any_shape_is_not_filled(tmp_path):
    half = torch.zeros(1, dtype=torch.float16).as_strided((2**20, 2**20), (0, 0))
    state = {"conv1_1.weight": half, "conv1_1.bias": half}
    (tmp_path / "a.pth").write_bytes(torch_file(state))
    assert "has shape (1048576, 1048576)" in refusal(tmp_path / "a.pth")


def test_an_hdf5_file_leads_to_no_other_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(64 * 27, "<f4").tobytes())
    other = tmp_path / "other.h5"
    other.write_bytes(FILES["a.h5"])
    name, shape = "block1_conv1/a_W", (3, 3, 3, 64)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset(name, shape, "<f4", external=[(str(secret), 0, 64 * 27 * 4)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(shape, "<f4")
        layout[:] = h5py.VirtualSource(str(other), name, shape)
        file.create_virtual_dataset(name, layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["block1_conv1"] = h5py.ExternalLink(str(other), "block1_conv1")
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset(name, (2**20, 2**20), "<f4", chunks=(1024, 1024), compression="gzip")
    says = {
        "external": "from another file", "virtual": "from another file",
        "link": "conv1_1.weight is missing", "large": "has shape (1048576, 1048576)",
    }  # fmt: skip
    for file, sentence in says.items():
        assert sentence in refusal(tmp_path / f"{file}.h5")


@pytest.mark.parametrize("opcodes", [b"]r\xff\xff\xff\x07", b"\x8e" + bytes(5) + b"\x01\0\0"])
def test_a_pickle_that_asks_for_memory_gets_none(tmp_path, opcodes):
    """A memo of a gigabyte, and bytes of a terabyte that are not there."""
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04" + opcodes + b".")
    assert "is damaged" in refusal(path)


def opcodes(*parts):
    """Return a pickle of protocol 3 with a type of numbers that is changed after its array."""
    array = np.empty(0).__reduce__()[0].__module__.encode()
    kind, flags = parts
    return b"".join([
        b"\x80\x03cnumpy\ndtype\nX", struct.pack("<I", len(kind)), kind, b"\x89\x88\x87Rq\x010",
        b"c", array, b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R",
        b"(K\x01K\x08\x85h\x01\x89B", struct.pack("<I", 64), b"\x41" * 64, b"tbq\x020",
        b"h\x01(K\x03X\x01\x00\x00\x00|NNNK\x08K\x08K", bytes([flags]), b"tb0",
        b"}X\x0c\x00\x00\x00param valuesh\x02s.",
    ])  # fmt: skip


def test_numbers_in_a_pickle_do_not_become_pointers():
    refused = (b"V64", b"S8", b"O", b"c16", b"f8,O", b"M8[s]")
    for kind in refused:
        with pytest.raises(NstError, match="only numbers are read"):
            formats.ArrayUnpickler(io.BytesIO(opcodes(kind, 63))).load()
    array = formats.ArrayUnpickler(io.BytesIO(opcodes(b"f8", 63))).load()["param values"]
    assert array.dtype.flags == 0
    assert not array.dtype.hasobject


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


def test_archives_and_pickles_write_and_run_nothing(tmp_path, monkeypatch):
    marker = tmp_path / "executed"
    monkeypatch.chdir(tmp_path)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, kind in (("storages", tarfile.SYMTYPE), ("../../executed", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    calls = [(os.mkdir, str(marker)), (exec, f"open({str(marker)!r}, 'w')"), (open, marker, "w")]
    hostile = {"tar.pth": tar.getvalue()}
    for index, call in enumerate(calls):
        data = pickle.dumps({"param values": [Call(*call)]})
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(formats.GATYS_MEMBER, data)
            archive.writestr("../executed", "")
        with zipfile.ZipFile(torch_zip := io.BytesIO(), "w") as archive:
            archive.writestr("a/data.pkl", data)
            archive.writestr("a/version", "3")
        hostile |= {
            f"{index}.pkl": data, f"{index}.whl": wheel.getvalue(),
            f"{index}.pth": torch_zip.getvalue(),
        }  # fmt: skip
        monkeypatch.setattr(formats, "GATYS_MEMBER_SHA256", hashlib.sha256(data).hexdigest())
        for name in list(hostile):
            (tmp_path / name).write_bytes(hostile.pop(name))
            refusal(tmp_path / name)
            assert not marker.exists()
            (tmp_path / name).unlink()
    assert not list(tmp_path.iterdir())
