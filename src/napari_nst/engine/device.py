"""Where to compute, and in which number format."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; ``auto`` is CUDA, else MPS, else the processor.

    Raises
    ------
    ValueError
        If there is no such device on this machine.
    """
    present = _present_devices()
    if name == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in present or not _index_exists(device):
        raise ValueError(f"device {name!r} is not on this machine; it has {', '.join(present)}.")
    return device


def describe_device(device: torch.device) -> str:
    """Return a device's name as a user knows it, such as ``cuda (NVIDIA H100)`` or ``cpu``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the number format of the network; ``auto`` is one of 16 bits where that is faster.

    bfloat16 comes first, since it has the range of float32.
    """
    if name != "auto":
        return {
            "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16
        }[name]  # fmt: skip
    if multiplies_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if _multiplies_float16(device) else torch.float32


def _present_devices() -> list[str]:
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    return present


def _index_exists(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return (device.index or 0) == 0


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself; asked, not timed, so that runs repeat."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (has_amx() or _can("avx512_bf16"))


def has_amx() -> bool:
    """Whether the processor multiplies whole tiles of bfloat16."""
    return _can("amx_bf16")


def has_avx2() -> bool:
    """Whether the processor is one of those for which `Winograd` was measured."""
    return _can("avx2")


def _can(ability: str) -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch
        return False
    return bool(torch.cpu.get_capabilities().get(ability))


def _multiplies_float16(device: torch.device) -> bool:
    """Whether the hardware has units for products of float16 alone: NVIDIA's since Volta."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)
