"""What users hold and serve: flavors, references, failures."""
