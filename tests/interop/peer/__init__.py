"""Both ends of the interoperability tests, written for either implementation of Perspective Broker."""
