"""The state of a run in a file, so that the run survives the end of its process."""
