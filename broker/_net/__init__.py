"""The Twisted edge: protocol, flow, factories, connecting."""
