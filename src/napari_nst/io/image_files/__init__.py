"""Image files: pixels with their range, their calibration and the text embedded in them."""
