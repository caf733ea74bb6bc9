"""Handlers that are coroutines, as tasks of the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Coroutines of a server. Not part of it: the library keeps what it calls."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine."""
        task = asyncio.ensure_future(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def report(event: str, error: BaseException, application: object) -> None:
    context = {"message": f"rtmpkit: {event} failed", "exception": error, "application": application}
    asyncio.get_running_loop().call_exception_handler(context)
