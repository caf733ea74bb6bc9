from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import rtmpkit


@pytest.fixture
def app() -> rtmpkit.Application:
    return rtmpkit.Application("live")


@pytest.fixture
def server(app: rtmpkit.Application) -> Iterator[rtmpkit.Server]:
    with rtmpkit.Server("127.0.0.1:0", [app], workers=2) as server:
        yield server


@pytest.fixture
def url(server: rtmpkit.Server) -> str:
    return f"rtmp://127.0.0.1:{server.port}/live"


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What went to `sys.unraisablehook`."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda caught: seen.append(caught.exc_value))
    return seen
