"""napari and Qt: thin widgets over the engine. Nothing here imports torch before a run."""
