"""The loss plot: curves of a run's losses, drawn while the run goes on."""
