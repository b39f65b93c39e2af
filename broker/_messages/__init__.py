"""The protocol: message classes and the dialects that put them on the wire."""
