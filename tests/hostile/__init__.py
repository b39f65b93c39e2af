"""Hostile and broken peers against a live server, and a server that is one against our client."""
