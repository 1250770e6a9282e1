"""Where to compute, and in which number format."""

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
def test_auto_takes_cuda_then_mps_then_the_processor(machine, cuda, mps, expected):
    machine(cuda, mps)
    assert choose_device("auto").type == expected
    assert choose_device() == choose_device("auto")


def test_the_processor_is_there_on_every_machine(machine):
    machine(cuda=1, mps=True)
    assert choose_device("cpu") == CPU


def test_a_gpu_may_be_chosen_by_number(machine):
    machine(cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("cuda:2", "cuda, cpu"),
        ("mps", "cuda, cpu"),
        ("meta", "cuda, cpu"),
        ("gpu", "cuda, cpu"),
        ("", "cuda, cpu"),
        ("cpu:1", "cuda, cpu"),
    ],
)
def test_a_device_that_is_absent_is_refused_with_those_present(machine, name, present):
    machine(cuda=2)
    with pytest.raises(
        ValueError, match=f"^device '{name}' is not on this machine; .* {present}.$"
    ):
        choose_device(name)


def test_a_machine_without_gpus_says_so(machine):
    machine()
    with pytest.raises(ValueError, match=r"it has cpu\.$"):
        choose_device("cuda")


def test_a_device_is_called_what_its_user_calls_it(machine):
    machine(cuda=1)
    assert describe_device(torch.device("cuda", 0)) == "cuda:0 (Imaginary 1)"
    assert describe_device(CPU) == "cpu"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_precision_that_is_named_is_taken(machine, name, device, expected):
    machine(cuda=1, mps=True)
    assert choose_precision(name, torch.device(device)) == expected


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_asks_the_processor_whether_it_multiplies_bfloat16(monkeypatch, abilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert choose_precision("auto", CPU) == expected


def test_auto_is_exact_where_the_processor_cannot_be_asked(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) == torch.float32


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((6, 1), torch.float32),
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 0), torch.bfloat16),
        ((9, 0), torch.bfloat16),
    ],
)
def test_auto_takes_the_better_of_16_bits_on_gpus_that_have_them(machine, capability, expected):
    machine(cuda=1, capability=capability)
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_auto_is_exact_on_apple_gpus():
    assert choose_precision("auto", torch.device("mps")) == torch.float32
