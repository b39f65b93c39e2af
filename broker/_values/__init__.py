"""Tokens and values: what may cross, and in which form."""
