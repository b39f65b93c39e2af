"""A translucent object broker on Twisted: references to remote objects, called over a connection."""
