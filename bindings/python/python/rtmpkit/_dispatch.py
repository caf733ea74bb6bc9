"""Threads that run handlers, and what is tidied up when the interpreter ends."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from rtmpkit._rtmpkit import Engine, Queue

CLOSE_TIMEOUT = 10.0
"""Seconds that closing waits for the library's threads."""


class Dispatcher:
    """A queue with a thread that serves it.

    The thread is a daemon so that a program that forgot to close a server can end; `finalize` sees to it that it is
    gone, in order, before the interpreter is.
    """

    def __init__(self, name: str) -> None:
        self.queue = Queue()
        self._thread = threading.Thread(target=self.queue.serve, name=name, daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether this is the thread: a handler runs."""
        return self._thread is threading.current_thread()

    def stop(self) -> None:
        """Runs what is queued, then ends the thread and waits for it. What comes later is dropped."""
        self.queue.stop()
        if not self.is_current:
            self._thread.join(CLOSE_TIMEOUT)


def finalize(owner: object, close: Callable[[], object]) -> Callable[[], object]:
    """Has `close` called once: by hand, when the owner is collected, or when the interpreter ends."""
    return weakref.finalize(owner, close)


_lock = threading.Lock()
_shared: Engine | None = None


def shared_engine() -> Engine:
    """The engine of outgoing connections that were given none; lives until the interpreter ends."""
    global _shared
    with _lock:
        if _shared is None or _shared.closed:
            _shared = Engine(1)
            # Registered before the connections that use it, and therefore closed after them.
            weakref.finalize(shared_engine, _shared.close)
        return _shared
