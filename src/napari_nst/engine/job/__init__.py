"""What was asked for, checked. NumPy only."""
