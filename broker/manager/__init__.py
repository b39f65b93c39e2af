"""Shared objects in a process of their own."""
