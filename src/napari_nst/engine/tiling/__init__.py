"""Exact tiles."""
