"""Tells Twisted about a reactor for calls one after the other: ``twistd --reactor glancing``."""

from twisted.application.reactors import Reactor

__all__ = ["glancing"]

glancing = Reactor("glancing", "broker._net.glancing", "epoll, looking for a moment before it sleeps (see broker)")
