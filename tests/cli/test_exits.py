"""The exit status says the worst that happened, in the documented order."""

from __future__ import annotations

import pytest

from veo_async.cli.exits import Exit, exit_status


def test_the_numbers_are_the_documented_ones() -> None:
    numbers = {status.name: status.value for status in Exit}
    assert numbers == {"USAGE": 2, "INTERRUPTED": 130, "UNKNOWN": 3, "INCOMPLETE": 1, "DONE": 0}


def test_all_succeeded_is_zero() -> None:
    assert exit_status(["succeeded", "succeeded"]) is Exit.DONE


def test_nothing_to_do_is_zero() -> None:
    assert exit_status([]) is Exit.DONE


@pytest.mark.parametrize(
    "state", ["failed", "filtered", "expired", "rejected", "invalid", "new", "queued", "running"]
)
def test_anything_without_a_video_is_one(state: str) -> None:
    assert exit_status(["succeeded", state]) is Exit.INCOMPLETE


def test_a_missing_file_is_one() -> None:
    assert exit_status(["succeeded"], troubled=True) is Exit.INCOMPLETE


def test_unknown_goes_before_failed() -> None:
    assert exit_status(["failed", "unknown"], troubled=True) is Exit.UNKNOWN


def test_interrupted_goes_before_unknown() -> None:
    assert exit_status(["unknown"], interrupted=True) is Exit.INTERRUPTED
