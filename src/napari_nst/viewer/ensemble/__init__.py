"""Several seeds of a texture in the viewer: controls, the layer that fills in, and the table."""
