"""Bytes and tokens: banana, its vocabulary, the greeting."""
