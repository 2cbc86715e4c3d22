"""The emulator as a whole: starting, stopping, restarting, in a thread, as a fixture."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest

from veo_async.emulator import Emulator, EmulatorThread

from .client import MODEL, Client, serving, video_uri

pytestmark = pytest.mark.anyio


def post(url: str, key: str, prompt: str) -> Any:
    body = json.dumps({"instances": [{"prompt": prompt}]}).encode()
    request = urllib.request.Request(f"{url}/v1beta/models/{MODEL}:predictLongRunning", body)
    request.add_header("x-goog-api-key", key)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


async def test_jobs_survive_a_restart_in_their_state_file(tmp_path: Path) -> None:
    """Another emulator on the same file: same operation, same bill, same video, byte for byte."""
    state = tmp_path / "emulator.db"
    async with serving(state=state, waiting=0.0) as client:
        name = await client.submit("A boat")
        operation = (await client.get(f"/v1beta/{name}")).json
        before = await client.get(video_uri(operation))
    async with serving(state=state) as client:
        operation = (await client.get(f"/v1beta/{name}")).json
        after = await client.get(video_uri(operation))
        assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
        assert client.emulator.bill.times(prompt="A boat") == 1
        await client.submit("A boat")
        assert client.emulator.bill.entries[1].occurrence == 2


async def test_an_emulator_can_be_stopped_and_started_again() -> None:
    """Its jobs stay, also in memory; the bill is readable in between."""
    emulator = Emulator(clip="tiny", waiting=0.0)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.base_url
    await emulator.start()
    with pytest.raises(RuntimeError, match="already"):
        await emulator.start()
    async with Client(emulator) as client:
        name = await client.submit("A boat")
        await emulator.stop()
        await emulator.stop()
        assert emulator.bill.operations == (name,)
        await emulator.start()
        assert (await client.get(f"/v1beta/{name}")).json["done"] is True
    await emulator.stop()


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_open() -> None:
    """The second emulator can be started elsewhere afterwards."""
    async with serving() as client:
        port = int(client.emulator.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address"):
            await Emulator(port=port).start()


async def test_stopping_inside_a_cancelled_scope_closes_all() -> None:
    """No socket is left open, which the warnings of this test run would show."""
    emulator = Emulator(clip="tiny")
    with anyio.CancelScope() as scope:
        async with emulator, Client(emulator) as client:
            await client.submit("A boat")
            scope.cancel()
            await anyio.sleep(1)
    with pytest.raises(RuntimeError):
        _ = emulator.base_url


async def test_stopping_does_not_wait_for_a_rendering() -> None:
    """A 4k clip in the making is given up."""
    async with serving(clip="full", waiting=0.0) as client:
        uri = video_uri(await client.finished("A boat", resolution="4k"))
        async with anyio.create_task_group() as tasks:

            async def download() -> None:
                assert (await client.get(uri)).status == 503

            tasks.start_soon(download)
            await anyio.sleep(0.2)
            started = time.monotonic()
            await client.emulator.stop()
            assert time.monotonic() - started < 1.5


async def test_every_key_given_is_accepted_and_none_is_kept() -> None:
    """The bill names keys by their place."""
    async with serving(keys=("first-secret", "second-secret"), waiting=0.0) as client:
        await client.submit("A boat")
        body = {"instances": [{"prompt": "B"}]}
        path = f"/v1beta/models/{MODEL}:predictLongRunning"
        await client.ask("POST", path, json=body, key="second-secret")
        assert [entry.key for entry in client.emulator.bill] == ["key-1", "key-2"]
        assert "secret" not in repr((client.emulator.bill.entries, tuple(client.emulator.requests)))


def test_an_emulator_needs_a_key() -> None:
    """A single string would be a key for each letter."""
    for keys in ((), "emulator-key"):
        with pytest.raises(ValueError, match="keys"):
            Emulator(keys=keys)


async def test_the_log_counts_requests_sockets_and_rates() -> None:
    """What tests of kindness to the server are made of."""
    async with serving() as client:
        name = await client.submit("A boat")
        for _ in range(4):
            await client.get(f"/v1beta/{name}", headers={"X-Mine": "1"})
        log = client.emulator.requests
        assert (len(log), log.count("check"), log.count("submit", "check")) == (5, 4, 5)
        assert len(log.sockets("check")) == 1
        assert log.most_within(60.0, "check") == 4
        assert log.most_within(0.0, "check") <= 1
        assert log.of("check")[0].headers["x-mine"] == "1"
        assert log.of("check")[0].key_sent
        assert "x-goog-api-key" not in log.of("check")[0].headers
        log.clear()
        assert len(log) == 0
        assert log.most_within(1.0) == 0


async def test_two_hundred_concurrent_jobs_are_all_served() -> None:
    """Submitted, checked and downloaded at once; every file its own bytes."""
    async with serving(waiting=0.0) as client:
        names: list[str] = []
        contents: set[bytes] = set()

        async def one(number: int) -> None:
            name = await client.submit(f"Boat {number}")
            names.append(name)
            operation = (await client.get(f"/v1beta/{name}")).json
            contents.add((await client.get(video_uri(operation))).body)

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(one, number)
        assert len(contents) == len(set(names)) == 200
        assert set(client.emulator.bill.operations) == set(names)


def test_a_thread_serves_synchronous_programs() -> None:
    """No event loop in sight; the bill is read from here."""
    with EmulatorThread(Emulator(clip="tiny", waiting=60.0)) as emulator:
        post(emulator.base_url, emulator.key, "A boat")
        assert emulator.bill.times(prompt="A boat") == 1
        assert emulator.finish_all() == 1
        assert emulator.bill.entries[0].state == "succeeded"
    with pytest.raises(RuntimeError):
        _ = emulator.base_url


def test_a_thread_that_cannot_start_says_why() -> None:
    """The error of the start reaches the caller, and nothing is left running."""
    with Emulator().in_thread() as emulator:
        port = int(emulator.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address"), Emulator(port=port).in_thread():
            pass


PLUGIN_TEST = """
import pytest, urllib.request

def test_sync(veo_emulator):
    assert veo_emulator.base_url.startswith("http://127.0.0.1:")
    assert len(veo_emulator.bill) == 0

@pytest.mark.anyio
@pytest.mark.veo_emulator(keys=("mine",), can_list=True)
async def test_async(veo_emulator):
    import aiohttp
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "mine"}) as session:
        async with session.get(veo_emulator.base_url + "/v1beta/models/veo-3.1/operations") as answer:
            assert await answer.json() == {"operations": []}
"""


def test_the_pytest_fixture_serves_sync_and_async_tests(tmp_path: Path) -> None:
    """In a pytest run of its own, warnings being errors, configured by the marker."""
    test = tmp_path / "test_plugin.py"
    test.write_text(PLUGIN_TEST)
    plugins = ("veo_async.emulator.pytest_plugin", "anyio.pytest_plugin")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
    ]
    command += [argument for plugin in plugins for argument in ("-p", plugin)]
    command += ["-k", "not trio", str(test)]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("module", ["veo_async.emulator", "veo_async.emulator.pytest_plugin"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    """Pytest loads the plugin in every run of every project that has us installed."""
    heavy = ["aiohttp", "anyio", "av", "PIL"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
