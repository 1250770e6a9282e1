"""Make a solid texture by MCRpy, to be judged by `tools/solid-pictures.py --beside`.

It runs in an environment of its own, with mcrpy 0.2.0, tensorflow-cpu 2.15.1, and numpy below 2:
`python solid_by_mcrpy.py EXEMPLAR.npy VOLUME.npy SIDE ITERATIONS`; the exemplar is grey, in [0, 1].
Descriptors and optimizer are those that MCRpy recommends for three dimensions: Gram matrices of
VGG-19, and variation with the weight 100, by L-BFGS-B over all slices.
"""

import os
import resource
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import mcrpy
import numpy as np
import tensorflow as tf
from mcrpy.src.DMCR import DMCR

OPTIONS = {
    "descriptor_types": ["GramMatrices", "Variation"],
    "grey_values": True,
    "use_multigrid_descriptor": True,
    "limit_to": 16,
}


def main(exemplar: str, volume: str, side: str, iterations: str) -> None:
    """Write the volume after each iteration, and print the loss, the CPU time and the memory."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    np.random.seed(0)  # noqa: NPY002 - MCRpy starts from it
    image = mcrpy.Microstructure.from_npy(exemplar, use_multiphase=False)
    began = time.process_time()

    def report(run: DMCR, number: int, loss: float, *_: object, **__: object) -> None:
        seconds = time.process_time() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{number}: {float(np.ravel(loss)[0]):.4g}, {seconds:.0f} s, {memory:.2f} GB",
            flush=True,
        )
        np.save(volume, run.ms.x.numpy()[0, ..., 0].astype(np.float32))

    DMCR.reconstruction_callback = report
    settings = mcrpy.CharacterizationSettings(use_multiphase=False, **OPTIONS)
    found = mcrpy.characterize(image, settings)
    settings = mcrpy.ReconstructionSettings(
        descriptor_weights=[1.0, 100.0], max_iter=int(iterations), **OPTIONS
    )
    mcrpy.reconstruct(found, (int(side),) * 3, settings=settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
