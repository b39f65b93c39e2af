"""Tells `twistd` about quote_server.py."""

from twisted.application.service import ServiceMaker

quotes = ServiceMaker("quotes", "quote_server", "Serves a quote to whoever asks.", "quotes")
