"""The tables and calls of one connection, without any I/O."""
