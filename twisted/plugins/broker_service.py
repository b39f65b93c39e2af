"""Tells `twistd` about the service; kept to one line, because every rebuild of the plugin cache imports it."""

from twisted.application.service import ServiceMaker

__all__ = ["broker"]

broker = ServiceMaker("broker", "broker.service", "An object broker: serves objects to remote callers.", "broker")
