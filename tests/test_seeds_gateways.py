"""The vendors' own answers on gateways' surfaces, word for word, and what each must come to.

Seed 000: GPTProto's page "Query Task" for its v3 format, its one success and its four errors. Seed 002: the
OpenAPI page "Query task" of chainhub's unified video format, its one example.
"""

from __future__ import annotations

import json

import pytest

from tests.seeds import ERRORS, SAMPLES, sample
from tests.surfaces import SURFACES, Surface
from veo_async.answers import Accepted, Empty, RefusalKind, Refused, Running, Unreadable
from veo_async.models import Failed
from veo_async.providers import Provider
from veo_async.wire import Request

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
GATEWAYS = [surface for surface in SURFACES if surface.name not in {"gemini", "vertex"}]
SEED_000_ID = "task-mg3pt9cbmvr1"
SEED_002_QUERY = "veo3.1-fast:1760545785-euexscdeL8"
SEED_002_ANSWER = "033fa60e-f37c-4ff6-a44d-5585ffea938d"

v3 = Provider.gptproto_v3(api_key="sk-test-test-test").dialect
unified = Provider.unified(api_key="sk-test-test-test").dialect


def test_the_queries_are_those_of_the_pages() -> None:
    """Seed 000 sends Content-Type on the GET; seed 002 marks Content-Type and Accept as required."""
    assert v3.check(SEED_000_ID) == Request(
        method="GET",
        url="https://gptproto.com/api/v3/predictions/task-mg3pt9cbmvr1/result",
        headers=JSON,
    )
    assert unified.check(SEED_002_QUERY) == Request(
        method="GET",
        url="https://api.chainhub.tech/v1/video/query?id=veo3.1-fast%3A1760545785-euexscdeL8",
        headers=JSON,
    )


@pytest.mark.anyio
async def test_the_keys_are_written_as_on_the_pages() -> None:
    """Seed 000 writes `Authorization: sk-…`, seed 002 `Authorization: Bearer …`."""
    key = "sk-test-test-test"
    assert await Provider.gptproto_v3(api_key=key).authorization() == {"Authorization": key}
    bearer = Provider.gptproto_v3(api_key=key, bearer=True)
    assert await bearer.authorization() == {"Authorization": f"Bearer {key}"}
    assert await Provider.unified(api_key=key).authorization() == {"Authorization": f"Bearer {key}"}


def test_success_and_an_empty_result_on_a_check() -> None:
    """Seed 000's "200 - Success": the request succeeded, the job has nothing to show; never a success."""
    answer = v3.read_check(sample("gptproto_v3_success.json"), SEED_000_ID)
    assert isinstance(answer, Empty)
    assert isinstance(answer.outcome, Failed)
    assert answer.outcome.reason == "empty"
    assert answer.outcome.raw == {"status": "success", "result": {}}


def test_success_and_an_empty_result_on_a_submit() -> None:
    """There is no task id in it: a paid job may run, and nothing is made up."""
    answer = v3.read_submit(sample("gptproto_v3_success.json"), "veo3.1-fast")
    assert isinstance(answer, Unreadable)
    assert (answer.status, answer.path) == (200, "$.id")


def test_pending_on_a_check() -> None:
    """Seed 002's example: running, its time in milliseconds."""
    answer = unified.read_check(sample("chainhub_query_pending.json"), SEED_002_ANSWER)
    assert answer == Running(updated_at=1750323167.003)


def test_pending_on_a_submit() -> None:
    """The same shape answers a submit; its id is the operation's whole name."""
    answer = unified.read_submit(sample("chainhub_query_pending.json"), "veo3.1-fast")
    raw = json.loads((SAMPLES / "chainhub_query_pending.json").read_text())
    assert answer == Accepted(operation=SEED_002_ANSWER, raw=raw)


def test_the_pages_task_says_its_model() -> None:
    """In front of the colon, where an id has one."""
    assert unified.model_of(SEED_002_QUERY) == "veo3.1-fast"
    assert unified.model_of(SEED_002_ANSWER) is None


@pytest.mark.parametrize("surface", GATEWAYS, ids=lambda surface: surface.name)
@pytest.mark.parametrize(("error", "status", "kind"), ERRORS)
def test_seed_000s_errors(
    error: tuple[str, str, str], status: int, kind: RefusalKind, surface: Surface
) -> None:
    """Documented on the query: they mean the same there and on a submit, and on every surface of gateways."""
    name, message, code = error
    raw = json.loads((SAMPLES / name).read_text())
    expected = Refused(kind=kind, message=message, status=status, code=code, raw=raw)
    assert surface.dialect.read_check(sample(name, status), SEED_000_ID) == expected
    assert surface.dialect.read_submit(sample(name, status), "veo3.1-fast") == expected
