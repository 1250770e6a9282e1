"""A whole stack in bounded memory, killed once and gone on: python -m benchmarks.stack --help."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil


def main() -> None:
    """Run a stack in a process of its own, kill it once, run the rest, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", type=Path, help="a TIFF or zarr; else a photo that is turned")
    parser.add_argument("--style", type=Path, help="else the sample painting")
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--side", type=int, default=512, help="of the slices that are made")
    parser.add_argument("--size", type=int, default=0, help="of the results; 0: the preset's own")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--warm-steps", type=int, help="of all slices but the first")
    parser.add_argument("--temporal", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder .zarr of the result; else a new one")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _child(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="napari-nst-stack-"))
    given.stack = given.stack or _turned(folder / "stack.zarr", given.slices, given.side)
    given.out = given.out or folder / "result.zarr"
    print(f"{given.slices} slices of {given.stack} into {given.out}", flush=True)
    began = time.perf_counter()
    first = _follow(given, folder / "log.jsonl", kill_after=given.slices // 2)
    rest = _follow(given, folder / "log.jsonl", kill_after=None)
    lines = [*first, *rest]
    memory = [line["megabytes"] for line in lines]
    part = max(1, len(first) // 4)
    print(
        f"{len(lines)} slices in {time.perf_counter() - began:.0f} s, killed after {len(first)}; "
        f"memory {np.mean(memory[part : 2 * part]):.0f} MB in the second quarter before that, "
        f"{np.mean(memory[len(first) - part : len(first)]):.0f} MB in the fourth, "
        f"{max(memory):.0f} MB at most"
    )
    import zarr

    states = np.asarray(zarr.open(given.out / "napari-nst" / "states"))
    missing = int((states != 1).sum())
    print(f"{missing} slices are missing")
    sys.exit(1 if missing else 0)


def _follow(given: argparse.Namespace, log: Path, kill_after: int | None) -> list[dict[str, float]]:
    """Return a line for each slice of a process, which is killed after some if so wanted."""
    log.write_text("")
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in vars(given).items()
        if value not in (None, log)
    ]
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.stack", *options, f"--child={log}"])
    while child.poll() is None:
        time.sleep(0.2)
        if kill_after is not None and len(log.read_text().splitlines()) >= kill_after:
            for process in psutil.Process(child.pid).children(recursive=True):
                process.kill()
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
    return [json.loads(line) for line in log.read_text().splitlines()]


def _child(given: argparse.Namespace) -> None:
    import napari_nst as nst
    from napari_nst.viewer.samples import sample_painting

    fields = {"size": given.size} if given.size else {}
    run = nst.stylize_stack(
        given.stack,
        given.style or sample_painting(),
        given.preset,
        slices=f":{given.slices}",
        out=given.out,
        warm_steps=given.warm_steps,
        temporal=given.temporal,
        workers=given.workers,
        **fields,
    )
    own = psutil.Process()
    with given.child.open("a") as log:
        for step in run:
            if step.finished:
                line = {"slice": step.label, "megabytes": own.memory_info().rss / 1e6}
                log.write(json.dumps(line) + "\n")
                log.flush()
                print(step.label, f"{step.done}/{step.slices}", f"{line['megabytes']:.0f} MB")


def _turned(path: Path, slices: int, side: int) -> Path:
    """Write a stack whose slices are a photo that turns slowly, with new noise in each."""
    import skimage.data
    import zarr
    from skimage.transform import resize, rotate

    photo = resize(skimage.data.camera(), (side, side), anti_aliasing=True)
    shape = (slices, side, side)
    stack = zarr.create_array(path, shape=shape, chunks=(1, side, side), dtype="uint8")
    random = np.random.default_rng(0)
    for number in range(slices):
        turned = rotate(photo, 0.5 * number, mode="reflect") + random.normal(0, 0.01, (side, side))
        stack[number] = np.rint(turned.clip(0, 1) * 255)
    return path


if __name__ == "__main__":
    main()
