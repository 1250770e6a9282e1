"""Losses, weighted by a recipe."""
