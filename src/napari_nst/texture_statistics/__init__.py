"""Statistics of textures on pixels: how far an image is from its exemplar, by what no loss reads.

Needs no torch, but for the distances of Gram matrices.
"""
