"""The device to compute on, and the number format of the network."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; ``auto`` is CUDA, else MPS, else the CPU."""
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if name == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(name)
        count = torch.cuda.device_count() if device.type == "cuda" else 1
        exists = device.type in present and (device.index or 0) < count
    except RuntimeError:
        exists = False
    if not exists:
        raise ValueError(f"`device={name!r}` is not on this machine; it has {', '.join(present)}.")
    return device


def describe_device(device: torch.device) -> str:
    """Return a device's name as its user knows it, such as ``cuda (NVIDIA H100)`` or ``cpu``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the network's number format; ``auto`` is bfloat16, else float16, if it is faster."""
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if multiplies_bfloat16(device):
        return torch.bfloat16
    # NVIDIA GPUs multiply float16 faster since Volta.
    has_float16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)
    return torch.float16 if has_float16 else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16. This is not timed, so that runs are repeatable."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (cpu_has("amx_bf16") or cpu_has("avx512_bf16"))


def cpu_has(capability: str) -> bool:
    """Whether the CPU has a capability; False if torch is too old to know."""
    return hasattr(torch.cpu, "get_capabilities") and bool(
        torch.cpu.get_capabilities().get(capability)
    )
