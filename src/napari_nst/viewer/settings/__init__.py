"""Settings from layers, files, the last session and napari's preferences."""
