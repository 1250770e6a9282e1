"""Where a style goes: regions of layers."""
