"""The losses of a run, drawn while it runs."""
