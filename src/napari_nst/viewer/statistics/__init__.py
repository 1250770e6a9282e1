"""The dock of texture statistics: controls, a plot and a table."""
