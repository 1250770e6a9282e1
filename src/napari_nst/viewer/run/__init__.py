"""One run in a background thread."""
