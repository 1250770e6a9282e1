"""Measure how good pictures and textures are: `python -m benchmarks.quality --help`."""
