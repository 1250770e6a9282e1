"""Optimizers of images."""
