"""Files: images, records, animations. Neither Qt nor napari."""
