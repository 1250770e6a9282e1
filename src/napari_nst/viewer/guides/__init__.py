"""Regions that Labels and Shapes layers mark: guides of a transfer, and regions to fill."""
