"""Handlers of the methods that the server of a connection calls."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from rtmpkit._rtmpkit import ServerCall
from rtmpkit._tasks import Report, Spawn

OnCall: TypeAlias = Callable[[str, list[Any]], Any]


def answering(on_call: OnCall, spawn: Spawn, report: Report) -> Callable[[ServerCall], None]:
    """What the library calls for `on_call`: answers with what it returns, when it is done if it is a coroutine."""

    def answer(call: ServerCall) -> None:
        try:
            result = on_call(call.method, call.args)
            if inspect.isawaitable(result):
                spawn(_finish(call, result, report, on_call))
            else:
                _decide(call, result)
        except Exception as error:
            _fail(call, error, report, on_call)

    return answer


async def _finish(call: ServerCall, result: Awaitable[Any], report: Report, on_call: OnCall) -> None:
    try:
        _decide(call, await result)
    except Exception as error:
        _fail(call, error, report, on_call)


def _decide(call: ServerCall, result: Any) -> None:
    if result is NotImplemented:
        call.unknown_method()
    else:
        call.accept(result)


def _fail(call: ServerCall, error: Exception, report: Report, on_call: OnCall) -> None:
    if isinstance(error, PermissionError):
        call.prohibit()
        return
    call.reject("The application failed.")
    report("on_call", error, on_call)
