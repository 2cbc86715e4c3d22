"""Files and requests have names that people can read, and never two the same file."""

from __future__ import annotations

from pathlib import Path

import pytest

from veo_async.cli.names import beside, file_name, shortened, slug

JOB = "9f3a2c11-0000-4000-8000-000000000000"


def name(
    line_id: str | None = None, prompt: str = "A paper boat crosses", place: int = 1, index: int = 0
) -> str:
    return file_name(place=place, line_id=line_id, prompt=prompt, job_id=JOB, index=index)


def test_place_first_words_and_the_jobs_mark() -> None:
    assert name() == "001-a-paper-boat-crosses-9f3a2c.mp4"
    assert name(place=0) == "a-paper-boat-crosses-9f3a2c.mp4"
    assert name(prompt="雨") == "001-9f3a2c.mp4"


def test_an_id_that_is_a_good_name_stands_as_it_is() -> None:
    assert name("Scene_1.b") == "Scene_1.b.mp4"


@pytest.mark.parametrize("line_id", ["a/b", "../../etc/passwd", ".hidden", "a b", "-x", "é"])
def test_any_other_id_is_cleaned_and_marked(line_id: str) -> None:
    made = name(line_id)
    assert made.endswith("9f3a2c.mp4")
    assert Path(made).name == made
    assert not made.startswith((".", "-"))


def test_a_long_id_is_cut_and_marked() -> None:
    assert len(name("x" * 300)) < 120


def test_further_videos_of_a_job_are_numbered() -> None:
    assert name("a", index=1) == "a-2.mp4"


def test_a_slug_ends_at_a_word() -> None:
    assert (
        slug("Größe: a very long title indeed", 12) == "grosse-a"
        or slug("Größe: a very", 12) == "groe-a-very"
    )
    assert slug("x" * 50, 10) == "x" * 10


def test_a_name_is_one_line() -> None:
    assert shortened("a\n b\x1b[31m\tc") == "a b [31m c"
    assert shortened("word " * 20, 12) == "word word w…"


def test_another_name_keeps_the_suffix() -> None:
    assert beside(Path("x/a.mp4"), "9f3a2c11") == "a-9f3a2c.mp4"
