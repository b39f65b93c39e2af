"""The door for remote objects that read like local ones: export them, and look at references as expressions or proxies.

>>> served = export(Shop(), LIVE)                              # the owner; serve it as a root
>>> x = expr(root)                                             # the holder, in Deferred and async code
>>> await x.basket("ann").items[0].price * 2                   # one message
>>> shop = await live(root)                                    # or a proxy
>>> async for item in shop.items: ...
"""

from __future__ import annotations

from broker._remote import ops
from broker._remote.exported import Exported
from broker._remote.expose import Expose, expose
from broker._remote.expr import Expr
from broker._remote.faults import RemoteTraceback
from broker._remote.forms import Form, Rules, copy, ref, stream
from broker._remote.live import (
    Description,
    activate,
    describe,
    export,
    expr,
    live,
    program,
    reference,
    release,
    run,
    same,
    value,
)
from broker._remote.packing import Foreign
from broker._remote.policy import Batch, Policy, Quota
from broker._remote.presets import EXPOSED, HANDLES, LENT, LIVE, NATIVE, PB, SHARED, native
from broker._remote.program import Program
from broker._remote.publish import CallContext, publish
from broker._remote.sending import REACTOR, Transport, transmit
from broker._remote.verbs import HiddenName, HiddenVerb, Refused, Verb, Want

__all__ = [
    "Batch",
    "CallContext",
    "Description",
    "EXPOSED",
    "Exported",
    "Expose",
    "Expr",
    "Foreign",
    "Form",
    "HANDLES",
    "HiddenName",
    "HiddenVerb",
    "LENT",
    "LIVE",
    "NATIVE",
    "PB",
    "Policy",
    "Program",
    "Quota",
    "REACTOR",
    "Refused",
    "RemoteTraceback",
    "Rules",
    "SHARED",
    "Transport",
    "Verb",
    "Want",
    "activate",
    "copy",
    "describe",
    "export",
    "expose",
    "expr",
    "live",
    "native",
    "ops",
    "program",
    "publish",
    "ref",
    "reference",
    "release",
    "run",
    "same",
    "stream",
    "transmit",
    "value",
]
