"""Settings from layers, files and the last session."""
