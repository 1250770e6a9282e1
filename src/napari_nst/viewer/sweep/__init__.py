"""Many small pictures side by side."""
