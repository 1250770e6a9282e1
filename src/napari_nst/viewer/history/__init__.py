"""The pictures of a run: kept, shown, exported."""
