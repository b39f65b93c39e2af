"""Reaching for what a peer names: the attributes and methods of an object, as far as its policy offers them."""

from __future__ import annotations

from typing import Any

from broker._remote.names import is_dunder
from broker._remote.policy import Policy
from broker._remote.side import Side
from broker._remote.verbs import HiddenName, Verb

__all__ = ["attribute", "method"]


def attribute(subject: Any, found: str, name: str) -> Any:
    """Return an attribute of an object, which the policy allows.

    :param found: what it is called.
    :param name: what the peer calls it.
    """
    try:
        return getattr(subject, found)
    except AttributeError as error:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is None:
            # Raised by the lookup itself, not by code behind it: the words that a refusal has.
            raise HiddenName(f"no attribute {name!r} is offered") from None
        raise


def method(policy: Policy, side: Side, subject: Any, name: str) -> Any:
    """Return the method of an object that a peer calls, if the policy allows it.

    :param name: as `clean` returns it.
    """
    if is_dunder(name) and name not in policy.expose.names:
        raise HiddenName(f"no attribute {name!r} is offered")
    return attribute(subject, policy.check(side.broker, subject, Verb.CALL, name), name)
