"""What each of several processes runs in test_processes.py: runs in which memory runs out."""

import sys
import traceback

import torch
from runs_by_processes import CONTENT, STYLE, recipe, untrained, what_is_found

import napari_nst as nst
from napari_nst.engine import course, processes, tiling
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg import VGG19

PLACES = {
    # Function from which the network is called, and how often it is before it fails there.
    "content": ("features_by_tiles", 1),
    "style": ("_moments", 1),
    "pass 1": ("_add_up", 7),  # three times at the start, and in each step
    "pass 2": ("_way", 9),  # four times
}
ERRORS = [MemoryError, lambda: torch.OutOfMemoryError("CUDA out of memory.")]


class Room:
    """Lets the network fail for more than 80 × 80 pixels, in one function, from a call on."""

    def __init__(self, function, since, error):
        self.function, self.since, self.error = function, since, error
        self.calls = 0
        self.along = VGG19.along

    def __enter__(self):
        def limited(network, image, *joins):
            if self.function in {frame.name for frame in traceback.extract_stack()}:
                self.calls += 1
                if self.calls > self.since and image[0, 0].numel() > 80**2:
                    raise self.error()
            return self.along(network, image, *joins)

        VGG19.along = limited

    def __exit__(self, *_):
        VGG19.along = self.along


def made():
    """Return what a run makes, in which tiles, and what it says."""
    said = []
    steering = Steering(said.append)
    iterations = list(nst.stylize(CONTENT, STYLE, recipe(tile=128), steering=steering))
    tiles = [it.facts["tile"] for it in iterations]
    rank = processes.present().rank
    return {**what_is_found(iterations, rank), "tiles": tiles, "said": said}


def main(path):
    weights = untrained()
    course.load = lambda *_: weights
    tiling.LEAST_ROWS, tiling.LEAST_TILE = 64, 32
    with processes.joined("cpu") as ours:
        found = {"enough": made()}
        for number, (place, (function, since)) in enumerate(PLACES.items()):
            for without in ("one", "both"):
                here = without == "both" or ours.rank == number % 2
                with Room(function if here else "", since, ERRORS[number // 2]):
                    found[place, without] = made()
        torch.save(found, f"{path}.{ours.rank}.of.{ours.count}")


if __name__ == "__main__":
    main(sys.argv[1])
