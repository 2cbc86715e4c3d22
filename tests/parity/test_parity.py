"""Our requests are those of Google's own client, field by field, but for the rules below.

google-genai 2.34.0 is the last with the Gemini format, 3.4.0 the one for Vertex AI (protocol §0). Both are
installed into folders of their own the first time; the tests are skipped only where that is not possible.
`nox -s parity` runs them, or `pytest tests/parity`; `pytest tests` does not.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from veo_async import Provider
from veo_async.emulator import Emulator, Waiting
from veo_async.wire import Base64Media, Request

from .cases import cases, request_of

COUNT = 250
VERSIONS = {"gemini": "2.34.0", "vertex": "3.4.0"}
CLIENT = Path(__file__).with_name("genai_client.py")
CACHE = Path(os.environ.get("VEO_PARITY_CACHE", Path(__file__).parents[2] / ".nox" / "parity-packages"))

Body = dict[str, Any]
pytestmark = pytest.mark.timeout(600)


class Rule(NamedTuple):
    """One difference that is meant: Google's body, changed so, is ours."""

    surface: str
    what: str
    source: str
    apply: Callable[[Body], None]


def _asset(body: Body) -> None:
    for reference in body["instances"][0].get("referenceImages", ()):
        reference["referenceType"] = reference["referenceType"].lower()


def _without_encoding(body: Body) -> None:
    body["instances"][0].get("video", {}).pop("encoding", None)


def _with_parameters(body: Body) -> None:
    body.setdefault("parameters", {})


def _with_types(body: Body) -> None:
    instance = body["instances"][0]
    references = [reference["image"] for reference in instance.get("referenceImages", ())]
    for name in ("image", "lastFrame", "video"):
        references += [instance[name]] if name in instance else []
    types = {"png": "image/png", "jpeg": "image/jpeg", "mp4": "video/mp4"}
    for medium in references:
        if "gcsUri" in medium:
            medium.setdefault("mimeType", types[medium["gcsUri"].rpartition(".")[2]])


RULES = (
    Rule(
        "both",
        "empty parameters are written",
        "seeds 001 and 003: every body has parameters",
        _with_parameters,
    ),
    Rule("both", '"asset" and "style" in lower case', "protocol §1, §2; Google's REST samples", _asset),
    Rule(
        "gemini",
        "no encoding beside a video's uri",
        "protocol §1: the live API refused it",
        _without_encoding,
    ),
    Rule(
        "vertex",
        "a type beside each gcsUri, told by its name",
        "protocol §2: {gcsUri, mimeType}",
        _with_types,
    ),
)
"""At most ten, each with where it comes from."""

REFUSED_BY_GOOGLES_CLIENT = {
    "seed": (7, "sent"),  # protocol §1: the docs list it, so it is sent if set
    "generate_audio": (True, "refused"),
    "output_gcs_uri": ("gs://bucket/folder", "refused"),
    "labels": ({"a": "b"}, "sent"),  # by `extra` alone, which is the caller's own word
    "fps": (24, "sent"),
}
"""What the client refuses in the Gemini format by itself, and what becomes of it here."""


@contextmanager
def recording() -> Generator[tuple[str, list[tuple[str, Body]]]]:
    """Yield the URL of a server that takes every submit, and what it was sent."""
    seen: list[tuple[str, Body]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, body))
            answer = json.dumps({"name": "models/m/operations/1"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def installed(surface: str) -> Path:
    """Return the folder with the client of a format; skip where it cannot be installed."""
    version = VERSIONS[surface]
    folder = CACHE / f"google-genai-{version}"
    if not (folder / "done").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--target",
            str(folder),
            f"google-genai=={version}",
        ]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip(f"google-genai {version} cannot be installed here")
        (folder / "done").touch()
    return folder


def google(surface: str, *arguments: str, given: object = None) -> Any:
    """Run Google's client and return what it printed."""
    run = subprocess.run(
        [sys.executable, "-S", str(CLIENT), arguments[0], surface, *arguments[1:]],
        input=json.dumps(given),
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(installed(surface))},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    printed = json.loads(run.stdout.splitlines()[-1])
    assert printed["version"] == VERSIONS[surface]
    return printed["answers"]


def provider(surface: str, base_url: str, key: str = "emulator-key") -> Provider:
    if surface == "gemini":
        return Provider.gemini(api_key=key, base_url=base_url)
    return Provider.vertex(project="films", location="us-central1", token=key, base_url=base_url)


def body_of(request: Request) -> Body:
    """Return a body as it goes over the wire."""
    parts: list[bytes] = []
    for part in request.body:
        if isinstance(part, Base64Media):
            assert part.media.data is not None
            part = base64.b64encode(part.media.data)  # noqa: PLW2901
        parts.append(part)
    body: Body = json.loads(b"".join(parts))
    return body


@pytest.mark.parametrize("surface", VERSIONS)
def test_request_bodies_are_those_of_googles_client(surface: str) -> None:
    """Hundreds of combinations; each rule is needed by at least one of them."""
    given = cases(surface, COUNT)
    with recording() as (base_url, seen):
        answers = google(surface, "send", base_url, given=given)
    assert answers == [None] * COUNT
    assert len({json.dumps(case, sort_keys=True) for case in given}) >= 200
    rules = [rule for rule in RULES if rule.surface in ("both", surface)]
    assert len(RULES) <= 10
    used = dict.fromkeys(rules, 0)
    dialect = provider(surface, base_url).dialect
    for case, (path, body) in zip(given, seen, strict=True):
        ours = dialect.submit(request_of(case), case["model"])
        for rule in rules:
            before = json.dumps(body, sort_keys=True)
            rule.apply(body)
            used[rule] += before != json.dumps(body, sort_keys=True)
        assert body_of(ours) == body, case
        # The SDK asks for v1beta1 of Vertex AI by default; ours is v1, which the documentation shows.
        assert ours.url.removeprefix(base_url).replace("/v1/", "/v1beta1/") == path
    assert all(used.values()), used


def test_what_googles_client_refuses_by_itself() -> None:
    """Fields of Vertex AI in the Gemini format: none is dropped in silence."""
    given: list[dict[str, Any]] = [
        {"model": "veo-2", "prompt": "A boat", "config": {name: value}}
        for name, (value, _) in REFUSED_BY_GOOGLES_CLIENT.items()
    ]
    with recording() as (base_url, seen):
        answers = google("gemini", "send", base_url, given=given)
    assert not seen
    assert ["only supported in" in (answer or "") for answer in answers] == [True] * len(given)
    dialect = provider("gemini", base_url).dialect
    for case, (_, fate) in zip(given, REFUSED_BY_GOOGLES_CLIENT.values(), strict=True):
        request = request_of(case)
        assert bool(dialect.problems(request, case["model"])) == (fate == "refused")
        assert len(body_of(dialect.submit(request, case["model"]))["parameters"]) == 1


@pytest.mark.parametrize("surface", VERSIONS)
def test_googles_client_generates_polls_and_downloads_at_the_emulator(surface: str, tmp_path: Path) -> None:
    """A whole run by Google's own client, which knows nothing of us."""
    emulator = Emulator(waiting=Waiting.fixed(0.5), clip="tiny", google_uris=True)
    with emulator.in_thread() as service:
        name = google(surface, "whole", service.base_url, str(tmp_path / "boat.mp4"))
        assert list(service.bill.operations) == [name]
    assert (tmp_path / "boat.mp4").read_bytes()[4:8] == b"ftyp"
