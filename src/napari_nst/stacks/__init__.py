"""Stacks: every slice of an image of more dimensions, one after another or on several machines.

A run writes each finished slice into a zarr store, and goes on from there after a crash. Below the
viewer and the terminal, above the engine, which computes the slices.
"""
