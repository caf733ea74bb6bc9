"""Shared objects: named sets of slots that a server, its clients and the host change together."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rtmpkit._rtmpkit import Instance, RawSharedObject

__all__ = ["BaseSharedObject", "SharedObject", "SlotChange"]

EVENTS = ("on_sync", "on_message", "on_status", "on_clear")
Deliver = Callable[..., None]
Open = Callable[[Deliver], RawSharedObject]


@dataclass(frozen=True, slots=True)
class SlotChange:
    """What became of a slot."""

    kind: str
    """`change`: somebody else set it. `delete`: somebody removed it. `success`, `reject`: the server accepted or refused
    what this side asked for. `clear`, in `rtmpkit.aio` only: all slots were removed."""
    name: str
    """The slot's name."""
    old_value: Any = None
    """What it was; `None` if it did not exist."""
    new_value: Any = None
    """What it is; `None` if it does not exist any more."""


class BaseSharedObject(Mapping[str, Any]):
    """What shared objects of threads and of event loops have in common: everything that does not wait."""

    _raw: RawSharedObject

    def __init__(self, open: Open) -> None:
        """Not for programs: see `Instance.shared_object` and `NetConnection.shared_object`."""
        self._handlers: dict[str, Callable[..., Any]] = {}
        # The library must not keep the object: one that nobody refers to is closed.
        self._raw = open(_deliver_to(weakref.ref(self)))
        self._listen()

    @property
    def name(self) -> str:
        """Its name."""
        return self._raw.name

    @property
    def persistent(self) -> bool:
        """Whether the server keeps it on disk."""
        return self._raw.persistent

    @property
    def version(self) -> int:
        """Its version; 0 before the first and when it is closed."""
        return self._raw.version

    @property
    def size(self) -> int:
        """How many slots there are."""
        return self._raw.size()

    @property
    def connected(self) -> bool:
        """Whether it can be used: the server has let this side join, and it is not closed."""
        return self._raw.connected

    @property
    def subscribers(self) -> int:
        """How many clients use it. The server's side only."""
        return self._raw.subscribers

    @property
    def dirty(self) -> bool:
        """Whether it changed since it was last stored. The server's side only."""
        return self._raw.dirty

    def lock(self) -> None:
        """Holds changes back until `unlock` was called as often: those of the server's clients too, on its side."""
        self._raw.lock()

    def unlock(self) -> None:
        """Undoes a lock. At the last, everything that was changed meanwhile goes out as one change."""
        self._raw.unlock()

    @contextmanager
    def locked(self) -> Iterator[Self]:
        """`with so.locked(): ...`: what is changed inside goes out in one message."""
        self.lock()
        try:
            yield self
        finally:
            self.unlock()

    def purge(self, version: int) -> None:
        """Forgets which slots were removed before a version. The server's side only."""
        self._raw.purge(version)

    def set_resync_depth(self, depth: int | None) -> None:
        """How many versions a client's copy may be behind without starting from nothing; `None` is no bound."""
        self._raw.set_resync_depth(depth)

    # The signatures below are open so that overriding methods may state the true ones, which the docstrings give.

    def on_sync(self, *args: Any, **kwargs: Any) -> Any:
        """`on_sync(changes: list[SlotChange])`: slots changed, all at once.

        Also, with as many changes as there are slots, when the server has let this side join.
        """
        return self._handle("on_sync", args)

    def on_message(self, *args: Any, **kwargs: Any) -> Any:
        """`on_message(name: str, args: list, peer: Peer | None)`: somebody called a handler of the object's users.

        `peer` is who it was, if it is a client of this server.
        """
        return self._handle("on_message", args)

    def on_status(self, *args: Any, **kwargs: Any) -> Any:
        """`on_status(status: Status)`: something failed, for example a change for want of write access."""
        return self._handle("on_status", args)

    def on_clear(self, *args: Any, **kwargs: Any) -> Any:
        """`on_clear()`: all slots were removed."""
        return self._handle("on_clear", args)

    def __getitem__(self, slot: str) -> Any:
        return self._raw.get(slot)

    def __contains__(self, slot: object) -> bool:
        return isinstance(slot, str) and self._raw.has(slot)

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw.names())

    def __len__(self) -> int:
        return self._raw.size()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} version {self.version}>"

    def _handle(self, event: str, args: tuple[Any, ...]) -> Any:
        if len(args) == 1 and callable(args[0]):
            self._handlers[event] = args[0]
            self._listen()
            return args[0]
        handler = self._handlers.get(event)
        return None if handler is None else handler(*args)

    def _listen(self) -> None:
        """Tells the library what anybody here listens to: a copy that nobody watches costs nothing in Python."""
        own, usual = type(self), BaseSharedObject
        self._raw.listen(*self._handlers, *(event for event in EVENTS if getattr(own, event) is not getattr(usual, event)))

    def _deliver(self, event: str, args: tuple[Any, ...]) -> None:
        getattr(self, event)(*args)


class SharedObject(BaseSharedObject, MutableMapping[str, Any]):
    """A shared object as a mapping of its slots.

        board = server.instance("live").shared_object("board", persistent=True)
        board["topic"] = "hello"

        with rtmpkit.NetConnection("rtmp://host/live") as nc, nc.shared_object("board") as board:
            @board.on_sync
            def changed(changes: list[rtmpkit.SlotChange]) -> None: ...

            board["topic"] = "hi"

    Handlers are given to the object, as above, or are methods of a class derived from this one, which hears everything
    from the start: `nc.shared_object("board", cls=Board)`. They run one at a time, where those of the application or of
    the connection run. What this side changes itself is told to the others; on the server's side not to this object.

    Nothing here waits but `flush`. Changes raise `Full` when too many wait to be sent. Assigning `None` removes a slot.
    Leave it with `close()` or a `with` statement, or by referring to it no longer.
    """

    def set(self, slot: str, value: Any) -> None:
        """Sets a slot; the same as `so[slot] = value`."""
        self._raw.set(slot, value)

    def remove(self, slot: str) -> bool:
        """Removes a slot; whether there was one."""
        return self._raw.remove(slot)

    def clear(self) -> None:
        """Removes all slots."""
        self._raw.clear()

    def send(self, name: str, *args: Any) -> None:
        """Calls a handler of all who use the object. Not stored."""
        self._raw.send(name, args)

    def mark(self, name: str, *args: Any) -> None:
        """Calls a handler of all at the end of the changes made since `lock`, in the same message."""
        self._raw.send(name, args)

    def flush(self, *, wait: bool = True, timeout: float | None = 10.0) -> int | None:
        """Stores the object as it is now: once this has returned, that survives whatever happens to the process.

        Returns the version that is on disk; raises `SharedObjectError` if it cannot be stored. Handlers must not wait:
        without `wait` it returns at once, and a failure goes to `on_status`.
        """
        if not wait:
            self._raw.store()
            return None
        return int(self._raw.flush(timeout))

    def close(self) -> None:
        """Leaves the object: a temporary one that nobody uses any more is gone, a persistent one is stored."""
        self._raw.close()

    def __setitem__(self, slot: str, value: Any) -> None:
        self._raw.set(slot, value)

    def __delitem__(self, slot: str) -> None:
        if not self._raw.remove(slot):
            raise KeyError(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_at_host(
    instance: Instance, name: str, persistent: bool, cls: type[SharedObject] | None = None
) -> SharedObject:
    """A shared object of an instance of this process."""
    return (cls or SharedObject)(lambda deliver: instance._shared_object(name, persistent, deliver))


def _deliver_to(owner: Callable[[], BaseSharedObject | None]) -> Deliver:
    def deliver(event: str, *args: Any) -> None:
        found = owner()
        if found is None:
            return
        if event == "on_sync":
            args = ([SlotChange(*change) for change in args[0]],)
        found._deliver(event, args)

    return deliver
