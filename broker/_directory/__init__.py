"""Names: objects and values that peers find by name, and put there if they may."""
