"""What the user changes while a run goes on."""
