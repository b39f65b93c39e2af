"""The manager's process as its starter has it: started, heard of, ended. Nothing here waits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Any, Final

import broker.manager as here
from broker.manager.folder import make_folder, remove_folder, socket_in
from broker.manager.letter import pack, types_to
from broker.manager.naming import MAINS, check_begun, main_program, name_of
from broker.manager.registry import Types

__all__ = ["Plan", "Process"]

#: What the interpreter is told to run. The folder that this package is in comes first, as it does here.
_BEGIN: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from broker.manager.child import main; main()"
#: Seconds from the end of a process's report to its own.
_LAST: Final = 1.0
#: Seconds for which the end of a process is waited for by those who have to do something else.
_SOON: Final = 0.1
#: A pipe takes so much without anybody reading.
_AT_ONCE: Final = 4096


class Plan:
    """What is to be started.

    :param types: the types.
    :param key: what clients have to know.
    :param endpoint: where to listen; by default at a Unix socket in a folder of its own.
    :param setup: functions that are called with the types, in the manager's process; or where they are.
    :param initializer: is called there before anything else happens; or where it is.
    :param initargs: its arguments, plain values.
    :param stay: whether the process goes on when the starter ends.
    :param options: for `broker.manager.server.Server`.
    :raises RuntimeError: this process is only about to begin.
    :raises TypeError: the initializer is neither a function nor a name.
    :raises ValueError: something cannot be named, or is no plain value.
    """

    def __init__(
        self,
        types: Types,
        key: bytes,
        *,
        endpoint: str | None = None,
        setup: Iterable[Callable[[Types], object] | str] = (),
        initializer: Callable[..., object] | str | None = None,
        initargs: Iterable[Any] = (),
        stay: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if initializer is not None and not (callable(initializer) or isinstance(initializer, str)):
            raise TypeError("initializer must be a callable")
        check_begun()
        self.stay = stay
        self.endpoint = endpoint
        functions = {name: name_of(one, f"the function {name!r}") for name, one in types.functions.items()}
        self._letter: dict[str, Any] = {
            "types": types_to(types),
            "functions": functions,
            "setup": [name_of(one, "what registers types") for one in setup],
            "initializer": None if initializer is None else name_of(initializer, "the initializer"),
            "initargs": list(initargs),
            "key": key,
            "stay": stay,
            "options": dict(options or {}),
            "path": [str(place) for place in sys.path],
            "argv": list(sys.argv),
        }
        self._letter["main"] = main_program() if self._needs_main() else None
        self._letter["endpoint"], self._letter["folder"] = endpoint, None
        # So that what cannot be written is known before there is a process.
        pack(self._letter)

    def _needs_main(self) -> bool:
        names = [*self._letter["functions"].values(), *self._letter["setup"], self._letter["initializer"]]
        names += [form["callable"] for form in self._letter["types"]]
        return any(name is not None and name.startswith(MAINS) for name in names)

    def letter(self, folder: str | None) -> bytes:
        """Return what the process is told.

        :param folder: where its socket is to be, if nothing else was said.
        """
        if folder is not None:
            path = socket_in(folder).replace("\\", "\\\\").replace(":", "\\:")
            self._letter["endpoint"], self._letter["folder"] = f"unix:{path}:mode=600:lockfile=0", folder
        return pack(self._letter)


class Process:
    """A process that has been started.

    :param plan: what it is to do.
    :raises OSError: it cannot be started.
    :ivar report: the number of the pipe that it reports through, and that ends when it does.
    :ivar pid: its number.
    """

    def __init__(self, plan: Plan) -> None:
        self._stays = plan.stay
        #: Whether nothing more is to be had of its report.
        self._over = False
        self._folder = make_folder() if plan.endpoint is None else None
        taking, self._lifeline = os.pipe()
        self.report, giving = os.pipe()
        try:
            letter = plan.letter(self._folder)
            root = str(Path(str(here.__file__)).parents[2])
            self._popen = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, root, str(taking), str(giving)],
                stdin=subprocess.DEVNULL,
                pass_fds=(taking, giving),
                start_new_session=plan.stay,
            )
        except BaseException:
            self.let_go()
            os.close(self.report)
            remove_folder(self._folder)
            raise
        finally:
            os.close(taking)
            os.close(giving)
        self.pid = self._popen.pid
        self._write(letter)

    def _write(self, letter: bytes) -> None:
        number = os.dup(self._lifeline)

        def write() -> None:
            left = memoryview(letter)
            try:
                while left:
                    left = left[os.write(number, left) :]
            except BrokenPipeError:
                # It has ended: what is read of its report says so.
                pass
            finally:
                os.close(number)

        if len(letter) <= _AT_ONCE:
            write()
        else:
            Thread(target=write, daemon=True).start()

    def let_go(self) -> None:
        """Tell the process that it is over."""
        number, self._lifeline = self._lifeline, -1
        if number >= 0:
            os.close(number)

    def _close(self) -> None:
        """Let go of both pipes."""
        self.let_go()
        self._over = True
        os.close(self.report)

    def leave(self) -> None:
        """Have nothing to do with it any more: it stays."""
        self._close()
        # It is not waited for, and nobody need be warned of that.
        self._popen.returncode = 0

    def forget(self) -> None:
        """Nobody has it any more: tell it that it is over; and clear up, if it was killed and could not."""
        left = self._stays or self._lifeline < 0
        self.let_go()
        if left:
            return
        # One that goes on clears up itself, and needs no longer for that as a rule.
        if wait([self.report], _SOON) and not os.read(self.report, 1):
            self.ended()

    def lost(self) -> None:
        """The connection to it has ended: remove its folder, if it was killed and could not. The rest is for those who
        wait for it."""
        # What it had to report has been read, so what comes now is the end.
        if self._folder is not None and not self._over and wait([self.report], _SOON):
            remove_folder(self._folder)

    def terminate(self) -> None:
        """Tell it once more."""
        self._popen.terminate()

    def kill(self) -> None:
        """End it."""
        self._popen.kill()

    def ended(self) -> int:
        """Its report has ended, and so has it, or is about to: clear up. Return its exit code."""
        self._close()
        try:
            code = self._popen.wait(_LAST)
        except subprocess.TimeoutExpired:
            # It has closed what it was given, and goes on.
            self._popen.kill()
            code = self._popen.wait()
        remove_folder(self._folder)
        return code
