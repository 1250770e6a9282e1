"""A brush to draw on a result while its run is paused."""
