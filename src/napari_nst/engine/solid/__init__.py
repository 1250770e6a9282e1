"""Solid textures: volumes whose slices along the axes look like exemplars."""
