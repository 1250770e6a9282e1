"""What each of several processes runs in test_processes.py: runs, of which it looks at tensors."""

import sys

import torch
from runs_by_processes import CONTENT, LABELS, STYLE, recipe, untrained
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import napari_nst as nst
from napari_nst.engine import course, processes, tiling

# Smaller than either scale, that what was given is not what is looked for.
SMALL, PAINTING = CONTENT[::2, ::2], STYLE[:120, :120]

RUNS = {
    "Adam": {"optimizer": "adam", "ema": 0.9},
    "L-BFGS": {},
    "an image to start from": {"init": "image"},
    "regions": {},
    "luminance": {"color": "luminance"},
}


class Largest(TorchDispatchMode):
    """Remembers the shape of the largest image (1, 3 or 1, H, W) that is made."""

    def __init__(self):
        super().__init__()
        self.shape = torch.Size((0, 0, 0, 0))

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            is_image = isinstance(one, torch.Tensor) and one.shape[:-2] in ((1, 1), (1, 3))
            if is_image and one.numel() > self.shape.numel():
                self.shape = one.shape
        return made


def iterations_of(name, fields):
    images = {"init_image": SMALL[::-1].copy()} if name == "an image to start from" else {}
    if name == "regions":
        images = {"guide": LABELS[::2, ::2], "style_guides": LABELS[:120, :120] + 1}
    return nst.stylize(SMALL, PAINTING, recipe(min_size=200, steps=2, **fields), **images)


def main(path):
    weights = untrained()
    course.load = lambda *_: weights
    tiling.LEAST_ROWS = 64
    found = {}
    with processes.joined("cpu") as ours:
        for name, fields in RUNS.items():
            with Largest() as largest:
                last = list(iterations_of(name, fields))[-1]
            found[name] = {"largest": list(largest.shape), "rows": last.pixels.shape[2]}
        with Largest() as largest:
            list(nst.stylize(SMALL, PAINTING, recipe(steps=1), after=last))
        found["going on"] = {"largest": list(largest.shape), "rows": last.pixels.shape[2]}
        torch.save(found, f"{path}.{ours.rank}.of.{ours.count}")


if __name__ == "__main__":
    main(sys.argv[1])
