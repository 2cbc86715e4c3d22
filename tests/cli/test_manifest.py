"""The manifest tells other programs all about a request, and is never half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from veo_async.cli.entries import Entry, StoredFile
from veo_async.cli.manifest import as_object, merged, read_manifest, write_manifest
from veo_async.engine.lifecycle import State
from veo_async.errors import DownloadError
from veo_async.models import VideoRequest

from .samples import entry

ROOT = Path("/out")


def test_a_succeeded_request() -> None:
    done = entry(State.SUCCEEDED)
    done.files = (StoredFile(path=ROOT / "a.mp4", sha256="5" * 64, size=7),)
    told = as_object(done, ROOT)
    assert told["request"] == {"prompt": "a boat"}
    assert (told["state"], told["billed"], told["cost_estimate"], told["error"]) == (
        "succeeded",
        "yes",
        0.8,
        None,
    )
    assert (told["job_id"], told["operation"]) == ("job-of-id:a", "models/m/operations/o1")
    assert told["files"] == [{"path": "a.mp4", "sha256": "5" * 64, "bytes": 7}]
    assert told["timings"] == {
        "created_at": "1970-01-12T13:46:40.000Z",
        "armed_at": "1970-01-12T13:46:41.000Z",
        "accepted_at": "1970-01-12T13:46:42.000Z",
        "finished_at": "1970-01-12T13:46:52.500Z",
        "waited": 10.5,
    }


def test_secrets_in_links_and_whole_answers_stay_out() -> None:
    text = json.dumps(as_object(entry(State.SUCCEEDED), ROOT))
    assert "secret" not in text
    assert "big" not in text


@pytest.mark.parametrize(
    ("state", "billed"),
    [(State.QUEUED, "no"), (State.RUNNING, "unknown"), (State.UNKNOWN, "unknown"), (State.FILTERED, "no")],
)
def test_what_is_billed(state: State, billed: str) -> None:
    assert as_object(entry(state), ROOT)["billed"] == billed


def test_a_line_that_was_never_sent() -> None:
    told = as_object(Entry(place=4, request=VideoRequest(""), trouble="the prompt is empty"), ROOT)
    assert (told["state"], told["job_id"], told["billed"]) == ("invalid", None, "no")
    assert told["error"] == {"kind": "InvalidRequestError", "message": "the prompt is empty"}


def test_an_error_is_told_with_its_kind() -> None:
    failed = entry(State.SUCCEEDED)
    failed.error = DownloadError("cut short", reason="truncated")
    assert as_object(failed, ROOT)["error"] == {"kind": "DownloadError", "message": "cut short"}


def test_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    lines = [{"job_id": "1", "prompt": "line\u2028sep \ud800 é"}, {"job_id": "2"}]
    write_manifest(path, lines)
    assert read_manifest(path) == lines
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.jsonl"]


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, [{"job_id": "1"}])
    with pytest.raises(TypeError):
        write_manifest(path, [{"job_id": object()}])
    assert read_manifest(path) == [{"job_id": "1"}]
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.jsonl"]


def test_a_missing_or_broken_manifest_is_none(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("{")
    assert read_manifest(tmp_path / "none") == read_manifest(tmp_path / "broken") == []


def test_news_take_the_place_of_old_lines() -> None:
    old: list[dict[str, Any]] = [{"job_id": "1", "state": "running"}, {"job_id": None}]
    new: list[dict[str, Any]] = [{"job_id": "1", "state": "succeeded"}, {"job_id": "2", "state": "failed"}]
    assert merged(old, new) == [new[0], {"job_id": None}, new[1]]


def test_a_line_of_a_batch_gets_its_job_later() -> None:
    """A killed run leaves lines without a job; a resubmitted one gets another job."""
    old: list[dict[str, Any]] = [
        {"key": "id:a", "attempt": 0, "job_id": None},
        {"key": "id:b", "attempt": 0, "job_id": "1"},
        {"key": "id:b", "attempt": 1, "job_id": "2"},
    ]
    new: list[dict[str, Any]] = [
        {"key": "id:b", "attempt": 0, "job_id": "3"},
        {"key": "id:a", "attempt": 0, "job_id": "4"},
    ]
    assert merged(old, new) == [new[1], new[0], old[2]]
