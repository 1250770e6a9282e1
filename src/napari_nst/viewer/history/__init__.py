"""The history of a run: images that are kept, displayed with a slider, and exported."""
