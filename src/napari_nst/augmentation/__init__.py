"""Training data: stylised variants of images whose labels stay valid, in a folder."""

PRESET = "draft"
"""The usual recipe, with `CHANGES`."""

CHANGES = {"content_layers": {"relu2_2": 0.5, "relu4_2": 0.5}, "tv_weight": 70.0}
"""What the usual recipe has in place of the preset's values: relu2_2 keeps thin structures, and
the smoothness is that with which the figures of its page were measured."""

WEIGHTS = (1.0, 4.0)
"""Its smallest and largest style weight, which change the look and leave edges in place."""

VARIANTS = 4
"""The usual number for each image."""
