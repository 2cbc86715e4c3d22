"""What the command line says of models that were retired."""

from __future__ import annotations

from pathlib import Path

import pytest

from veo_async.emulator import Emulator

from .shell import Shell, write_lines

OLD = "Google's own Gemini host stopped serving veo-2 on 2026-06-30"


def test_estimate_names_retired_models(shell: Shell, tmp_path: Path) -> None:
    """Once for each model, beside the figures; a model that is offered is not spoken of."""
    lines = [{"prompt": "a", "model": model} for model in ("veo-2", "veo-2", "veo-3.1")]
    file = write_lines(tmp_path / "a.jsonl", lines)
    ran = shell("estimate", file)
    assert ran.status == 0
    assert ran.err.count(OLD) == 1
    [told] = shell("estimate", file, "--json").events
    [warning] = told["warnings"]
    assert warning.startswith(OLD)


@pytest.mark.parametrize(("model", "told"), [("veo-2", True), ("veo-3.1", False)])
def test_doctor_names_a_retired_model(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, model: str, told: bool
) -> None:
    """A note: it is no obstacle where a gateway serves it still."""
    with Emulator(clip="tiny").in_thread() as emulator:
        monkeypatch.setenv("VEO_API_KEY", emulator.key)
        ran = shell(
            *("doctor", "--provider", "gemini", "--base-url", emulator.base_url, "--model", model, "--json")
        )
    assert ran.status == 0
    notes = [event["told"] for event in ran.events if event["what"] == "model"]
    assert [note.startswith(OLD) for note in notes] == ([True] if told else [])
