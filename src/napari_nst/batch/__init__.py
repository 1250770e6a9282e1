"""Many image files in one call: each makes a picture in a folder, and a row in a table."""
