"""Lines become requests; all that is wrong is told at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from veo_async.cli.batch_file import BatchFile, read_batch
from veo_async.cli.rows import Form

FOLDER = Path("/folder")


def read(*lines: dict[str, Any], model: str | None = None) -> BatchFile:
    content = "\n".join(map(json.dumps, lines)).encode()
    return read_batch(content, Form.JSONL, folder=FOLDER, model=model)


def told(*lines: dict[str, Any]) -> list[tuple[int, str]]:
    return [(trouble.line, trouble.message) for trouble in read(*lines).troubles]


def test_paths_are_relative_to_the_files_folder_and_urls_stay() -> None:
    batch = read(
        {"prompt": "a", "image": "p/a.png", "video": "https://host/v.mp4", "reference_images": ["/b.png"]}
    )
    [line] = batch.lines
    assert line.request.image is not None
    assert line.request.image.path == FOLDER / "p/a.png"
    assert line.request.video is not None
    assert line.request.video.uri == "https://host/v.mp4"
    assert line.request.reference_images[0].path == Path("/b.png")


def test_a_model_is_given_to_lines_without_one() -> None:
    batch = read({"prompt": "a"}, {"prompt": "b", "model": "veo-2"}, model="veo-3.1")
    assert [line.request.model for line in batch.lines] == ["veo-3.1", "veo-2"]


def test_ids_are_texts_and_numbers_are_taken_as_such() -> None:
    assert [line.id for line in read({"id": 7, "prompt": "a"}, {"prompt": "b"}).lines] == ["7", None]


def test_every_broken_line_is_told_and_the_good_ones_are_kept() -> None:
    batch = read({"prompt": "a"}, {"prompt": "b", "durationSeconds": 8}, {"prompt": 3}, {"seed": 1})
    assert [line.number for line in batch.lines] == [1]
    assert [trouble.line for trouble in batch.troubles] == [2, 3, 4]
    assert "did you mean duration_seconds?" in batch.troubles[0].message
    assert "must be a string" in batch.troubles[1].message
    assert "prompt" in batch.troubles[2].message


def test_the_priority_is_the_lines_own_or_the_one_for_all() -> None:
    lines = [{"prompt": "a"}, {"prompt": "b", "priority": "urgent"}]
    content = "\n".join(map(json.dumps, lines)).encode()
    batch = read_batch(content, Form.JSONL, folder=FOLDER, priority="bulk")
    assert [line.request.priority for line in batch.lines] == ["bulk", "urgent"]
    assert [line.request.priority for line in read(*lines).lines] == ["normal", "urgent"]
    csv = read_batch(b"prompt,priority\na,urgent\nb,\n", Form.CSV, folder=FOLDER, priority="bulk")
    assert [line.request.priority for line in csv.lines] == ["urgent", "bulk"]
    wanted = 'priority: must be "urgent", "normal" or "bulk", not "high"'
    assert told({"prompt": "a", "priority": "high"}) == [(1, wanted)]


def test_an_id_stands_once() -> None:
    assert told({"id": "x", "prompt": "a"}, {"prompt": "b"}, {"id": "x", "prompt": "c"}) == [
        (3, 'id: "x" is taken by line 1; choose another')
    ]


def test_an_id_must_be_a_name() -> None:
    lines = [{"id": given, "prompt": "a"} for given in ("", True, ["a"], "a\nb", "x" * 201)]
    assert [number for number, _ in told(*lines)] == [1, 2, 3, 4, 5]


def test_the_key_is_made_of_the_id_alone() -> None:
    [(line, message)] = told({"prompt": "a", "idempotency_key": "k"})
    assert line == 1
    assert 'give the line an "id"' in message
