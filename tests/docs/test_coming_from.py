"""The tables of names on the pages for those who come from elsewhere: each public name is there, and no other."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module
from multiprocessing import managers
from typing import Any

import pytest

from tests.docs.pages import DOCS

ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \| .*\S \|$", re.MULTILINE)
#: What RPyC's modules have at their top level that is nobody's to use: constants of their own working.
INNER_OF_RPYC = re.compile(
    r"STREAM_CHUNK|maxint|is_py_.*|CODEOBJ_MAGIC|CODE_HAVEARG_SIZE|HANDLE_.*|SERVER_SCRIPT|async"
)
INNER_OF_RPYC_CORE = re.compile(r"TAG_.*|IMM_.*|REMOTE_LINE.*|UNBOUND_.*|simple_types|retry_errnos|DEFAULT_CONFIG")


def named(page: str) -> list[str]:
    """Return the names in the first columns of a page's tables."""
    text = (DOCS / "howto" / page).read_text(encoding="utf-8")
    return [name for cells in ROW.findall(text) for name in re.findall(r"`([^`]+)`", cells)]


def own_names(module: Any) -> list[str]:
    """Return the public names that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
    ]


def methods(thing: Any, prefix: str) -> set[str]:
    """Return the public names of a class, with those that it shares with every object left out."""
    return {f"{prefix}.{name}" for name in dir(thing) if not name.startswith("_")}


def found(root: Any, name: str) -> bool:
    """Return whether a dotted name leads somewhere."""
    for part in name.split("."):
        if not hasattr(root, part):
            return False
        root = getattr(root, part)
    return True


def assert_complete(names: list[str], wanted: Iterable[str]) -> None:
    """Compare the names on a page with those that there are; each is there once."""
    missing = sorted(set(wanted) - set(names))
    assert not missing, f"not on the page: {missing}"
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"twice on the page: {twice}"


def test_names_of_rpyc() -> None:
    rpyc = pytest.importorskip("rpyc")
    names = named("from-rpyc.md")
    wanted = {name for name in dir(rpyc) if not name.startswith("_") and not INNER_OF_RPYC.fullmatch(name)}
    for folder, inner in ((rpyc.utils, INNER_OF_RPYC), (rpyc.core, INNER_OF_RPYC_CORE)):
        for info in pkgutil.iter_modules(folder.__path__):
            if info.name in ("async", "consts", "reactor"):
                continue
            module = import_module(f"{folder.__name__}.{info.name}")
            public = {name for name in own_names(module) if not inner.fullmatch(name) and not INNER_OF_RPYC.match(name)}
            path = module.__name__.removeprefix("rpyc.")
            wanted |= {f"{path}.{name}" for name in public if getattr(rpyc, name, None) is not getattr(module, name)}
    wanted |= methods(rpyc.AsyncResult, "AsyncResult") | methods(rpyc.Connection, "Connection")
    wanted |= methods(rpyc.Service, "Service") | methods(rpyc.BgServingThread, "BgServingThread")
    wanted |= methods(import_module("rpyc.utils.server").Server, "utils.server.Server")
    keys = set(import_module("rpyc.core.protocol").DEFAULT_CONFIG)
    assert_complete(names, wanted | keys)
    unknown = [name for name in names if name not in keys and not found(rpyc, name)]
    assert not unknown, f"not in rpyc: {unknown}"


def test_names_of_pyro() -> None:
    api = pytest.importorskip("Pyro5.api")
    import Pyro5
    import Pyro5.errors
    import Pyro5.nameserver

    names = named("from-pyro.md")
    wanted = set(api.__all__)
    for name in ("URI", "SerializerBase", "Daemon", "BatchProxy", "current_context"):
        wanted |= methods(getattr(api, name), name)
    proxied = {*dir(api.Proxy), *api.Proxy._Proxy__pyroAttributes}
    wanted |= {f"Proxy.{name}" for name in proxied if name.startswith("_pyro")}
    wanted |= methods(Pyro5.nameserver.NameServer, "nameserver.NameServer")
    wanted |= {f"errors.{name}" for name in own_names(Pyro5.errors) if name != "config"}
    items = set(api.config.as_dict())
    assert_complete(names, wanted | items)
    unknown = [name for name in names if name not in wanted | items]
    assert not unknown, f"not in Pyro: {unknown}"


#: What remoteable's README and its modules for servers and clients offer; it is on no index of packages.
REMOTEABLE = """
    RemotingServer ThreadedRemotingServer RemotingClient RemotingProxy RemoteHandle RemotingServer.export
    RemotingServer.browse RemotingServer.run RemotingServer.start RemotingServer.stop RemotingProxy.fetch
    RemotingProxy.browse RemotingProxy.store RemotingProxy.attach RemotingProxy.handle RemotingProxy.request
    RemotingProxy.send RemotingProxy.receive
    """
#: What `versile.quick` offers, and what the recipe about native objects needs besides; it is for Python 2.
VERSILE = """
    Versile VUrl VUrlException VOPService VExternal doc doc_with meta meta_as publish VBoolean VBytes VCallError VFloat
    VEntity VException VIOContext VInteger VNone VObject VProxy VReference VString VTagged VTuple VSimulatedException
    VEntityError VEntityReaderError VEntityWriterError VLinkError VCrypto VCryptoException VAuth VX509Name
    VX509Certificate VUrandom VX509Crypto VX509Format VByteBuffer VLockable VProcessor VProcessorError VResult
    VHaveResult VNoResult VCancelledResult VGatewayFactory VSEResolver VLinkMonitor socket_pair socket_vtp_link
    link_pair vchk vmax vmin vset vtyp VPythonObject VPython VPythonException VNativeModule VSEResolver.add_imports
    VSEResolver.enable_vse Versile.set_agpl_internal_use VLink.peer_gw VLink.shutdown VProxy._v_activate _v_link
    """


@pytest.mark.parametrize(("page", "text"), [("from-remoteable.md", REMOTEABLE), ("from-versile.md", VERSILE)])
def test_names_of_what_cannot_be_installed(page: str, text: str) -> None:
    assert_complete(named(page), text.split())


#: What only some versions of Python have.
SINCE = {"SyncManager.set", "BaseDictProxy", "SetProxy", "BaseSetProxy", "ProcessLocalSet", "Server.serve_client"}


def test_names_of_managers() -> None:
    names = named("manager.md")
    wanted = set(own_names(managers)) | {"HAS_SHMEM"}
    base = methods(managers.BaseManager, "BaseManager") | {"BaseManager.shutdown"}
    shared = {name.replace("BaseManager", "SyncManager") for name in base}
    wanted |= base | (methods(managers.SyncManager, "SyncManager") - shared)
    wanted |= methods(managers.Server, "Server") | {"BaseProxy._callmethod", "BaseProxy._getvalue"}
    wanted |= {f"Token.{name}" for name in managers.Token.__slots__}
    wanted |= {f"State.{name}" for name in ("INITIAL", "STARTED", "SHUTDOWN", "value")}
    wanted |= {"SharedMemoryManager.SharedMemory", "SharedMemoryManager.ShareableList"}
    assert_complete(names, wanted)
    unknown = set(names) - wanted - SINCE
    assert not unknown, f"not in multiprocessing.managers: {unknown}"


PAGES = ["manager.md", "from-rpyc.md", "from-pyro.md", "from-remoteable.md", "from-versile.md"]
#: Where what the second columns name is.
DOORS = {
    "B": "broker.blocking",
    "T": "broker.transparent",
    "M": "broker.manager",
    "N": "broker.names",
    "broker": "broker",
    "twisted": "twisted",
}


@pytest.mark.parametrize("page", PAGES)
def test_names_of_ours_are_there(page: str) -> None:
    """Every dotted name that begins with one of our doors, or with Twisted, leads somewhere."""
    text = (DOCS / "howto" / page).read_text(encoding="utf-8")
    rows = [line.split(" | ", 1)[1] for line in text.splitlines() if line.startswith("| ") and " | " in line]
    names = re.findall(r"(?<![\w.])(B|M|T|N|broker|twisted)\.([a-z_][\w.]*)(?![\w:])", " ".join(rows), re.IGNORECASE)
    assert names
    doors = {door: import_module(module) for door, module in DOORS.items()}
    for door, name in names:
        root: Any = doors[door]
        if door == "twisted":
            root, name = import_module(f"twisted.{name.rpartition('.')[0]}"), name.rpartition(".")[2]
        assert found(root, name), f"{door}.{name}"
