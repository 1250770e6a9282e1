"""Changes of controls and layers that reach the run that is going on."""
