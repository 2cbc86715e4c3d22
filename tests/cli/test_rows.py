"""Batch files are read in three forms; each broken line is told with its number."""

from __future__ import annotations

import pytest

from veo_async.cli.rows import Form, Row, Trouble, form_of, read_rows


def fields(content: bytes, form: Form) -> list[object]:
    return [row.fields if isinstance(row, Row) else row.message for row in read_rows(content, form)]


def numbers(content: bytes, form: Form) -> list[int]:
    return [row.line for row in read_rows(content, form)]


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.jsonl", b"", Form.JSONL),
        ("A.CSV", b"{", Form.CSV),
        ("a.txt", b"a cat", Form.TEXT),
        ("-", b'\n {"prompt": "x"}', Form.JSONL),
        ("-", b"\xef\xbb\xbf{", Form.JSONL),
        ("-", b"a cat", Form.TEXT),
    ],
)
def test_form_by_name_then_by_first_character(name: str, content: bytes, form: Form) -> None:
    assert form_of(name, content) is form


def test_blank_lines_are_skipped_and_counted() -> None:
    assert numbers(b'\n{"prompt": "a"}\r\n\n{"prompt": "b"}', Form.JSONL) == [2, 4]


def test_text_is_one_prompt_a_line_whatever_stands_in_it() -> None:
    assert fields("Größe\u2028zählt\n# no comment\n".encode(), Form.TEXT) == [
        {"prompt": "Größe\u2028zählt"},
        {"prompt": "# no comment"},
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "is not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"prompt": "a", "prompt": "b"}', '"prompt" twice'),
        (b'{"seed": NaN}', "NaN"),
        (b'{"prompt": "\xff"}', "not UTF-8 from byte 13"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_json_line_is_told(line: bytes, told: str) -> None:
    [row] = read_rows(line, Form.JSONL)
    assert isinstance(row, Trouble)
    assert told in row.message


def test_csv_cells_get_the_type_of_their_field() -> None:
    header = b"id,prompt,duration_seconds,enhance_prompt,reference_images,labels,negative_prompt\n"
    content = header + b'x,"a, b",8,no,a.png; b.png,"{""k"": ""v""}",\n'
    assert fields(content, Form.CSV) == [
        {
            "id": "x",
            "prompt": "a, b",
            "duration_seconds": 8,
            "enhance_prompt": False,
            "reference_images": ["a.png", "b.png"],
            "labels": {"k": "v"},
        }
    ]


def test_csv_rows_have_the_number_of_their_first_line() -> None:
    assert numbers(b'prompt\n"two\nlines"\nb\n', Form.CSV) == [2, 4]


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        (b"a cat\n", 1, 'no header with a "prompt" column'),
        (b"prompt,prompt\na,b\n", 1, "twice"),
        (b"prompt\na,b\n", 2, "2 cells for 1 columns"),
        (b"prompt\n\xff\n", 2, "not UTF-8"),
        (b"prompt,labels\na,x\n", 2, "labels: is not JSON"),
        (b'prompt\n"a\n', 2, "is not CSV"),
    ],
)
def test_a_broken_csv_is_told(content: bytes, line: int, told: str) -> None:
    [row] = read_rows(content, Form.CSV)
    assert isinstance(row, Trouble)
    assert row.line == line
    assert told in row.message
