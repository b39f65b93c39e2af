"""What users hold and serve: flavors, references, failures, and the face of a connection that they see."""
