"""The device to compute on, and the number format of the network."""

import pytest
import torch

from napari_nst.engine.device import choose_device, choose_precision, describe_device

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Pretend a machine with so many CUDA GPUs, with or without an Apple GPU."""

    def pretend(cuda=0, mps=False, capability=(8, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Imaginary 1")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda"), (2, True, "cuda")],
)
def test_auto_is_cuda_then_mps_then_the_cpu(machine, cuda, mps, expected):
    machine(cuda, mps)
    assert choose_device("auto").type == expected
    assert choose_device("cpu") == CPU
    if cuda == 2:
        assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["cuda:2", "mps", "gpu", "cpu:1"])
def test_a_missing_device_is_refused_with_those_present(machine, name):
    machine(cuda=2)
    with pytest.raises(ValueError, match=rf"device='{name}'.* cuda, cpu"):
        choose_device(name)


def test_a_device_is_called_what_its_user_calls_it(machine):
    machine(cuda=1)
    assert describe_device(torch.device("cuda", 0)) == "cuda:0 (Imaginary 1)"
    assert describe_device(CPU) == "cpu"


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_auto_is_bfloat16_on_cpus_that_multiply_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", CPU) == expected


def test_auto_is_float32_if_torch_does_not_know_the_cpu(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((6, 1), torch.float32), ((7, 0), torch.float16), ((8, 0), torch.bfloat16)],
)
def test_auto_is_the_better_16_bit_format_that_a_gpu_has(machine, capability, expected):
    machine(cuda=1, capability=capability)
    assert choose_precision("auto", torch.device("cuda")) == expected
    assert choose_precision("float32", torch.device("cuda")) == torch.float32
