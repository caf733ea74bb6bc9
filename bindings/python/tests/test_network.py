"""NetConnection.Connect.NetworkChange: as the program tells it, and as the system does where a network of one's own can be had."""

from __future__ import annotations

import asyncio
import queue
import shutil
import subprocess
import sys

import pytest

import rtmpkit
import rtmpkit.aio

PATIENCE = 20
SUCCESS, CHANGED, CLOSED = (f"NetConnection.Connect.{end}" for end in ("Success", "NetworkChange", "Closed"))


@pytest.mark.parametrize("workers", [1, 2])
def test_netconnection_connect_networkchange_when_the_host_says_so(url: str, workers: int) -> None:
    engine = rtmpkit.Engine(workers, watch_network=False)
    told: queue.Queue[rtmpkit.Status] = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=told.put, engine=engine), rtmpkit.NetConnection(url, engine=engine):
        assert told.get(timeout=PATIENCE).code == SUCCESS
        engine.network_changed()
        status = told.get(timeout=PATIENCE)
        assert (status.code, status.level) == (CHANGED, "status")
    assert told.get(timeout=PATIENCE).code == CLOSED
    engine.network_changed()
    assert engine.close() and told.empty()


def test_netconnection_connect_networkchange_in_asyncio(url: str) -> None:
    async def scene() -> None:
        engine = rtmpkit.Engine(1, watch_network=False)
        told: asyncio.Queue[rtmpkit.Status] = asyncio.Queue()
        async with rtmpkit.aio.NetConnection(url, on_status=told.put_nowait, engine=engine):
            assert (await told.get()).code == SUCCESS
            engine.network_changed()
            assert (await told.get()).code == CHANGED

    asyncio.run(asyncio.wait_for(scene(), PATIENCE))


INSIDE = """
import queue, subprocess
import rtmpkit

with rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live")]) as server:
    told = queue.Queue()
    with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/live", on_status=told.put):
        for change in "add", "del":
            subprocess.run(["ip", "addr", change, "192.0.2.1/32", "dev", "lo"], check=True)
            while (code := told.get(timeout=20).code) != "NetConnection.Connect.NetworkChange":
                assert code == "NetConnection.Connect.Success", code
            assert told.empty()
"""


def own_network() -> list[str] | None:
    """How to run a program with a network of its own, if the system lets us."""
    if shutil.which("unshare") is None:
        return None
    for how in "-n", "-rn":
        command = ["unshare", how, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return None


def test_netconnection_connect_networkchange_when_addresses_come_and_go() -> None:
    command = own_network()
    if command is None:
        print("no network of one's own here: only what programs say themselves is tested")
        return
    subprocess.run([*command, sys.executable, "-c", INSIDE], check=True, timeout=60)
