"""Read the arrays of an ONNX file without the package `onnx`.

An ONNX file is a message of Protocol Buffers: fields of a number, a wire type and a value. Only
those on the way to the stored arrays are read (onnx.proto3 of ONNX 1.16: ModelProto.graph,
GraphProto.initializer, and TensorProto's dims, data_type, name and raw_data).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
_FLOAT32 = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def float_arrays(file: bytes) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the float32 arrays that an ONNX file stores, by name; ValueError for another file."""
    arrays = {}
    try:
        for field, graph in _fields(memoryview(file)):
            if field == _GRAPH:
                for inner, tensor in _fields(graph):
                    if inner == _INITIALIZER:
                        arrays.update(_array(tensor))
    except (IndexError, TypeError) as error:
        raise ValueError("This is not an ONNX file with stored arrays.") from error
    return arrays


def _array(tensor: memoryview) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.float32]]]]:
    """Yield a tensor's name and array, if it is float32 in raw bytes."""
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for field, value in _fields(tensor):
        if field == _DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif field == _DATA_TYPE:
            kind = value
        elif field == _NAME:
            name = bytes(value).decode()
        elif field == _RAW_DATA:
            raw = value
    if kind == _FLOAT32 and len(raw):
        yield name, np.frombuffer(raw, "<f4").reshape(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire_type == _BYTES:
            length, at = _varint(message, at)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"This is not an ONNX file: it has the wire type {wire_type}.")
        yield field, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read an integer of seven bits per byte, and return it with the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(packed: memoryview) -> list[int]:
    """Read integers one after another."""
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values
