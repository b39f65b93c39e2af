"""A translucent object broker on Twisted: references to remote objects, called over a connection.

>>> class Echo(broker.Root):
...     def remote_echo(self, text):
...         return text
>>> await broker.serve("tcp:8787", Echo())                     # one program
>>> root = await broker.connect("tcp:localhost:8787")          # another one
>>> await root.callRemote("echo", "hello")
'hello'
"""

from __future__ import annotations

from broker._cred.portal import IUsernameMD5Password
from broker._limits import Limits
from broker._net.connect import connect, serve
from broker._net.factory import ClientFactory, ServerFactory
from broker._objects.cacheable import Cacheable, RemoteCache, RemoteCacheObserver
from broker._objects.context import deadline, remaining
from broker._objects.copyable import Copyable, RemoteCopy
from broker._objects.failures import CopiedFailure, CopyableFailure
from broker._objects.pager import CallbackPageCollector, FilePager, Pager, StringPager, getAllPages
from broker._objects.perspective import Avatar
from broker._objects.reference import RemoteMethod, RemoteReference
from broker._objects.referenceable import Referenceable, Root
from broker._objects.shield import shielded
from broker._objects.viewable import Viewable, ViewPoint
from broker._values.jelly import Jellyable
from broker._values.policy import SecurityOptions
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker._values.unjelly import Unjellyable
from broker.errors import (
    DeadlineExceeded,
    DeadReferenceError,
    Error,
    GoingAway,
    InsecureJelly,
    LimitExceeded,
    NoSuchMethod,
    PBConnectionLost,
    PeerSilent,
    ProtocolError,
    RemoteError,
)
from broker.interfaces import IPBRoot, IPerspective

__all__ = [
    "Avatar",
    "Cacheable",
    "CallbackPageCollector",
    "ClientFactory",
    "CopiedFailure",
    "Copyable",
    "CopyableFailure",
    "DeadReferenceError",
    "DeadlineExceeded",
    "Error",
    "FilePager",
    "GoingAway",
    "IPBRoot",
    "IPerspective",
    "IUsernameMD5Password",
    "InsecureJelly",
    "Jellyable",
    "Limits",
    "LimitExceeded",
    "NoSuchMethod",
    "PBConnectionLost",
    "Pager",
    "PeerSilent",
    "ProtocolError",
    "Referenceable",
    "Registry",
    "RemoteCache",
    "RemoteCacheObserver",
    "RemoteCopy",
    "RemoteError",
    "RemoteMethod",
    "RemoteReference",
    "Root",
    "SecurityOptions",
    "ServerFactory",
    "StringPager",
    "Unjellyable",
    "ViewPoint",
    "Viewable",
    "__version__",
    "connect",
    "deadline",
    "getAllPages",
    "globalRegistry",
    "globalSecurity",
    "passByValue",
    "registerException",
    "remaining",
    "serve",
    "setUnjellyableFactoryForClass",
    "setUnjellyableForClass",
    "setUnjellyableForClassTree",
    "shielded",
]

__version__ = "0.1.0"

setUnjellyableForClass = globalRegistry.setUnjellyableForClass
setUnjellyableFactoryForClass = globalRegistry.setUnjellyableFactoryForClass
setUnjellyableForClassTree = globalRegistry.setUnjellyableForClassTree
passByValue = globalRegistry.passByValue
registerException = globalRegistry.registerException
