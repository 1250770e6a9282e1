"""Training data: stylised variants of images whose labels stay valid, in a folder."""

PRESET = "draft"
"""The usual recipe, with other content layers."""

CONTENT_LAYERS = {"relu2_2": 0.5, "relu4_2": 0.5}
"""Those of the usual recipe: relu4_2 alone, which the preset has, loses thin structures."""

WEIGHTS = (1.0, 4.0)
"""Its smallest and largest style weight, which change the look and leave edges in place."""

VARIANTS = 4
"""The usual number for each image."""
