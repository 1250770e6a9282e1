"""napari layers, read and written."""
