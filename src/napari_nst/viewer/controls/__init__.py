"""Controls of the widgets."""
