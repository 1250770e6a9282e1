"""The engine: torch, and neither Qt nor napari."""
