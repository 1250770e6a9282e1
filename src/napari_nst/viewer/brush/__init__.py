"""Strokes on a result, and shapes as pixels."""
