"""Inspecting a result: loss maps, Gram matrices and feature maps."""
