"""The core in both its forms, side by side in one process."""
