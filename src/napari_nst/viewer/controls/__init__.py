"""The controls of the widgets, in forms."""
