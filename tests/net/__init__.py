"""The Twisted edge."""
