"""The interfaces that users of `broker` implement."""

from __future__ import annotations

from zope.interface import Interface

__all__ = ["IJellyable", "IPBRoot", "IPerspective", "IUnjellyable"]


class IJellyable(Interface):
    """An object that decides itself in which form it is sent."""

    def jellyFor(jellier):  # type: ignore[no-untyped-def]
        """Return the s-expression to send.

        :param jellier: lowers one value, of which this object is a part: ``jellier.jelly(part)`` lowers a part of the
            object, ``jellier.prepare(self)`` and ``jellier.preserve(self, expression)`` around that keep a cycle
            through the object what it is, ``jellier.invoker`` is the connection, or None.
        :returns: a list or tuple whose head is a byte string that the receiver knows.
        """


class IUnjellyable(Interface):
    """A blank instance that takes its contents from a received s-expression."""

    def unjellyFor(unjellier, expression):  # type: ignore[no-untyped-def]
        """Take the contents, and return the object that is to stand in the received value.

        :param unjellier: lifts one value, of which this object is a part: ``unjellier.unjelly(expression[1])`` lifts
            a part of the object, ``unjellier.invoker`` is the connection, or None.
        :param expression: the whole form, its head included.
        :returns: usually the instance itself.
        """


class IPBRoot(Interface):
    """Whatever a server can serve: the maker of the object that a peer gets first."""

    def rootObject(broker):  # type: ignore[no-untyped-def]
        """Return the referenceable object to serve as ``root``.

        :param broker: the new connection.
        """


class IPerspective(Interface):
    """What somebody who logged in may do; a realm is asked for one."""

    def perspectiveMessageReceived(broker, message, args, kwargs):  # type: ignore[no-untyped-def]
        """Serve one call of the one who logged in.

        :param broker: the connection; ``broker.unserialize(args, self)`` decodes the arguments, and the result is to
            be passed through ``broker.serialize(result, self)``.
        :param message: the bare name of the method, as text.
        :param args: the positional arguments, not yet decoded.
        :param kwargs: the keyword arguments, not yet decoded.
        :returns: what ``broker.serialize`` returned.
        """
