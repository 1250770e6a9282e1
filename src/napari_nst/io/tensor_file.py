"""Named arrays and texts in one safetensors file, which ends with a checksum of all before it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_nst.io.atomic_write import write_atomically

CHECKSUM = "sha256"
"""The name of the last array, which is the SHA-256 of the file up to it."""

_CHUNK = 2**22


@dataclass(frozen=True)
class Block:
    """An array to write. Its bytes are asked for when they are written, one block at a time."""

    dtype: str  # as safetensors calls it, such as BF16
    shape: tuple[int, ...]
    nbytes: int
    read: Callable[[], memoryview]


def write_tensor_file(path: Path, blocks: Mapping[str, Block], texts: Mapping[str, str]) -> None:
    """Write arrays and texts completely or not at all; raises an OSError if it is not possible."""
    write_atomically(path, _parts(blocks, texts))


def read_texts(path: Path) -> dict[str, str]:
    """Return the texts of a file, reading only its header; raises any error for another file."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return dict(file.metadata() or {})


def is_intact(path: Path) -> bool:
    """Whether the checksum at the end of a file is right."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - digest.digest_size
        while left > 0 and (part := file.read(min(_CHUNK, left))):
            digest.update(part)
            left -= len(part)
        return file.read() == digest.digest()


def _parts(blocks: Mapping[str, Block], texts: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    digest = hashlib.sha256()
    entries: dict[str, Any] = {"__metadata__": dict(texts)}
    start = 0
    checksum = Block("U8", (digest.digest_size,), digest.digest_size, lambda: memoryview(b""))
    for name, block in {**blocks, CHECKSUM: checksum}.items():
        stop = start + block.nbytes
        entries[name] = {
            "dtype": block.dtype, "shape": list(block.shape), "data_offsets": [start, stop]
        }  # fmt: skip
        start = stop
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)  # aligns the arrays
    header = len(header).to_bytes(8, "little") + header
    digest.update(header)
    yield header
    for block in blocks.values():
        part = block.read()
        digest.update(part)
        yield part
    yield digest.digest()
