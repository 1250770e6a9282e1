"""Runs on every slice of a layer: their controls, and the lazy layer of the results."""
