"""Widgets beside those of a run: volumes, many files, training data."""
