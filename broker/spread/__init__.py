"""Drop-in modules under the names of twisted.spread."""
