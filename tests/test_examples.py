"""Every example runs as it stands, against the emulator, and does what its first line says."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import veo_async
from veo_async.emulator import Emulator, Webhooks

EXAMPLES = Path(__file__).parent.parent / "examples"
START_S = 20.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A running emulator whose jobs are done almost at once."""
    with Emulator(waiting=0.2, clip="tiny").in_thread() as running:
        yield running


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """What tells an example whom to talk to."""
    return environment_of(emulator)


def environment_of(emulator: Emulator) -> dict[str, str]:
    """Return what tells an example whom to talk to."""
    return os.environ | {
        "VEO_PROVIDER": "gemini",
        "VEO_BASE_URL": emulator.base_url,
        "VEO_API_KEY": emulator.key,
        "PYTHONPATH": str(Path(veo_async.__file__).parent.parent),
        "PYTHONUNBUFFERED": "1",
    }


def run(example: str, *arguments: str, folder: Path, environment: dict[str, str], stdin: str = "") -> str:
    """Run an example to its end and return what it printed; any warning ends it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / example), *arguments],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@contextmanager
def serving(example: str, folder: Path, environment: dict[str, str], port: int = 0) -> Generator[str]:
    """Run a web application on a port, free unless given; yield its address."""
    port = port or free_port()
    server = subprocess.Popen(
        [sys.executable, str(EXAMPLES / example), str(port)], cwd=folder, env=environment
    )
    try:
        wait_for_port(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return once somebody listens."""
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        assert server.poll() is None, "the application ended by itself"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"nobody listens on port {port} after {START_S:g} s")


def fetch(url: str, *, method: str = "GET") -> bytes:
    """Return an answer's body."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
        body: bytes = answer.read()
    return body


def is_mp4(content: bytes) -> bool:
    """Whether this begins as MP4 files do and holds a film."""
    return content[4:8] == b"ftyp" and b"moov" in content and b"mdat" in content


def videos(folder: Path) -> list[Path]:
    """Return the videos below a folder, each looked into."""
    found = sorted(folder.rglob("*.mp4"))
    assert all(is_mp4(path.read_bytes()) for path in found)
    return found


def test_one_video(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    """One prompt, one operation, one file."""
    printed = run("one_video.py", "A paper boat", "out", folder=tmp_path, environment=environment)
    assert f"accepted as {emulator.bill.operations[0]}" in printed
    (path,) = videos(tmp_path / "out")
    assert path.name in printed
    assert len(emulator.bill) == 1


def test_many_under_a_limit_and_again(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """A second run with the same prompts pays for nothing and still tells how all ended."""
    prompts = "A paper boat\nA kite\nA forbidden thing\n"
    first = run("many_under_a_limit.py", "out", folder=tmp_path, environment=environment, stdin=prompts)
    assert "2 succeeded" in first
    assert "1 filtered" in first
    assert len(videos(tmp_path / "out")) == 2
    again = run("many_under_a_limit.py", "out", folder=tmp_path, environment=environment, stdin=prompts)
    assert "2 succeeded" in again
    assert len(emulator.bill) == 3


def test_pipeline(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    """Each request is told of once, also the one that brought nothing."""
    printed = run("pipeline.py", "out", folder=tmp_path, environment=environment)
    assert len(printed.splitlines()) == len(emulator.bill) == 4
    assert re.search(r"^A paper boat in a forbidden city: held back, ", printed, re.MULTILINE)
    assert len(videos(tmp_path / "out")) == 3


def test_attach_many(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    """Operations that another program submitted are waited for and stored."""
    operations = [submit_elsewhere(emulator, f"A paper boat {number}") for number in range(5)]
    printed = run(
        "attach_many.py", "out", folder=tmp_path, environment=environment, stdin="\n".join(operations)
    )
    assert all(operation in printed for operation in operations)
    assert len(videos(tmp_path / "out")) == 5
    assert len(emulator.bill) == 5


def submit_elsewhere(emulator: Emulator, prompt: str) -> str:
    """Submit as a program would that knows nothing of this library; return the operation's name."""
    request = urllib.request.Request(
        f"{emulator.base_url}/v1beta/models/veo-3.1-fast-generate-preview:predictLongRunning",
        data=json.dumps({"instances": [{"prompt": prompt}]}).encode(),
        headers={"x-goog-api-key": emulator.key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        name: str = json.load(answer)["name"]
    return name


def test_fastapi_app(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    """A job is accepted, its video streamed to whoever asks, an unknown one is not found."""
    pytest.importorskip("fastapi")
    with serving("fastapi_app.py", tmp_path, environment) as address:
        token = json.loads(fetch(f"{address}/videos?prompt=A+paper+boat", method="POST"))["token"]
        assert is_mp4(fetch(f"{address}/videos/{token}"))
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(f"{address}/videos/nothing")
        caught.value.close()
        assert caught.value.code == 404
    with serving("fastapi_app.py", tmp_path, environment) as address:
        assert is_mp4(fetch(f"{address}/videos/{token}"))
    assert len(emulator.bill) == 1


def test_aiohttp_app(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    """A prompt in the query, a video in the answer."""
    with serving("aiohttp_app.py", tmp_path, environment) as address:
        assert is_mp4(fetch(f"{address}/video?prompt=A+paper+boat"))
    assert len(emulator.bill) == 1


@pytest.mark.parametrize("example", ["webhook_aiohttp.py", "webhook_fastapi.py"])
def test_webhook_apps(example: str, tmp_path: Path) -> None:
    """Status checks are half a minute apart, and the answer comes much sooner: by the webhook."""
    pytest.importorskip("fastapi")
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    path, method, at = ("videos", "POST", "/veo/") if "fastapi" in example else ("video", "GET", "/veo")
    port = free_port()
    hook = {"VEO_WEBHOOK_SECRET": secret, "VEO_WEBHOOK_URL": f"http://127.0.0.1:{port}{at}"}
    with Emulator(waiting=0.5, clip="tiny", webhooks=Webhooks(secret=secret)).in_thread() as emulator:
        with serving(example, tmp_path, environment_of(emulator) | hook, port) as address:
            began = time.monotonic()
            answer = fetch(f"{address}/{path}?prompt=A+paper+boat", method=method)
            assert time.monotonic() - began < 5
        assert is_mp4(answer) or json.loads(answer)["operation"] == emulator.bill.operations[0]
        assert [delivery.status for delivery in emulator.deliveries] == [200]
        assert len(emulator.requests.sockets("check")) == 1


def test_every_example_is_run() -> None:
    """No example without a test in this file."""
    source = Path(__file__).read_text(encoding="utf-8")
    programs = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert [name for name in programs if f'"{name}"' not in source] == []
