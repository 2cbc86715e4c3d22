"""A usage export is read whatever its columns are called, and refused where it would have to be guessed."""

from __future__ import annotations

import contextlib
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.cli.statement import StatementError, Usage, read_statement

NOON = 1_788_264_000.0  # 2026-09-01T12:00:00Z


def only(content: str) -> Usage:
    """The single operation of a statement."""
    [usage] = read_statement(content.encode()).usages
    return usage


@pytest.mark.parametrize(
    "header",
    [
        "id,time,model,cost,status",
        "Operation Name,Created At,Model,Amount (USD),State",
        "task_id;created_at;model_name;price;status",
        "Request ID\tTimestamp (UTC)\tModel ID\tCost USD\tStatus",
    ],
)
def test_headers_are_known_by_what_they_say(header: str) -> None:
    """Capitals, blanks, signs, units and the separator do not matter."""
    separator = next(mark for mark in ",;\t" if mark in header)
    row = separator.join(["op-1", "2026-09-01T12:00:00Z", "veo3.1-fast", "0.80", "success"])
    statement = read_statement(f"\ufeff{header}\n{row}\n".encode())
    assert list(statement.columns.values()) == header.split(separator)
    [usage] = statement.usages
    assert usage == Usage(line=2, name="op-1", at=NOON, model="veo3.1-fast", cost=0.8, status="success")
    assert usage.billed == "yes"


def test_the_surest_of_several_columns_counts() -> None:
    """An operation's id goes before that of a request or of a line; what was understood is told."""
    statement = read_statement(
        b"id,request_id,task_id,created,cost,colour\n1,r,t,2026-09-01T12:00:00Z,1,red\n"
    )
    assert statement.usages[0].name == "t"
    assert statement.columns == {"id": "task_id", "time": "created", "cost": "cost"}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-09-01T12:00:00Z", NOON),
        ("2026-09-01 12:00:00", NOON),
        ("2026/09/01 12:00:00.250", NOON + 0.25),
        ("2026-09-01 20:00:00+08:00", NOON),
        ("2026-09-01 12:00:00 UTC", NOON),
        ("1788264000", NOON),
        ("1788264000.5", NOON + 0.5),
        ("1788264000250", NOON + 0.25),
        ("1788264000250000", NOON + 0.25),
        ("2026-09-01", None),
    ],
)
def test_times_are_read(text: str, at: float | None) -> None:
    """Dates with a time of day, and epochs in any unit; a day alone is no instant."""
    assert only(f"id,time\no,{text}\n").at == at


def test_times_without_a_zone_are_told_apart() -> None:
    """Only where a zone is said, by cell, header or caller, can they be compared with a clock."""
    vague = b"id,time\no,2026-09-01 12:00:00\n"
    assert not read_statement(vague).zoned
    assert read_statement(b"id,time (UTC)\no,2026-09-01 12:00:00\n").zoned
    assert read_statement(b"id,time\no,2026-09-01 12:00:00Z\n").zoned
    shanghai = read_statement(vague, timezone(timedelta(hours=8)))
    assert (shanghai.zoned, shanghai.first) == (True, NOON - 8 * 3600)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("0.80", 0.8),
        ("$0.80", 0.8),
        ("0.80 USD", 0.8),
        ("€ 0.80", 0.8),
        ('"0,80"', 0.8),
        ('"1,234.50"', 1234.5),
        ('"1,234"', 1234.0),
        (".5", 0.5),
        ("0", 0.0),
        ("", None),
    ],
)
def test_amounts_are_read(text: str, cost: float | None) -> None:
    """With and without currency, with either mark before the cents."""
    assert only(f"id,cost\no,{text}\n").cost == cost


def test_a_refund_is_taken_off_its_charge() -> None:
    """All lines of one operation are one usage; what is left decides whether it was billed."""
    content = (
        "id,time,cost,status\no,1788264000,0.10,success\nx,1788264000,0.2,\no,1788264009,-0.10,refunded\n"
    )
    first, second = read_statement(content.encode()).usages
    assert (first.name, first.cost, first.status, first.at, first.billed) == (
        "o",
        0.0,
        "refunded",
        NOON,
        "no",
    )
    assert (second.line, second.billed) == (3, "yes")


def test_charges_may_be_written_as_less() -> None:
    """Where every amount is below zero, what was taken is written so."""
    costs = [usage.cost for usage in read_statement(b"id,cost\na,-0.80\nb,0\nc,-1\n").usages]
    assert costs == [0.8, 0, 1.0]


@pytest.mark.parametrize(("status", "billed"), [("Failed", "no"), ("SUCCESS", "yes"), ("what", "unknown")])
def test_without_a_cost_the_status_says_whether_it_was_billed(status: str, billed: str) -> None:
    """A word that is not known says nothing."""
    assert only(f"id,status\no,{status}\n").billed == billed


def test_a_line_of_totals_is_left_out() -> None:
    """It speaks of no operation, and is told."""
    statement = read_statement(b"id,time,model,cost\no,1788264000,veo-3.1,0.8\n\nTotal,,,0.80\n")
    assert [usage.name for usage in statement.usages] == ["o"]
    assert statement.left_out == (4,)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "columns are none"),
        (b"when,what\n1,2\n", "when, what; missing: one for the id (operation"),
        (b"time,cost\n1788264000,2\n", "one for the model"),
        (b"id,time\n\xff\xfe,1\n", "not UTF-8"),
        (b'id,time\n"o,1\n', "not CSV"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_is_missing(content: bytes, told: str) -> None:
    """Each refusal names what is there, and what should be."""
    with pytest.raises(StatementError) as caught:
        read_statement(content)
    assert told in caught.value.message


def test_every_line_that_cannot_be_read_is_told() -> None:
    """One that were skipped could be the very one that proves something."""
    with pytest.raises(StatementError) as caught:
        read_statement(
            b"id,time,cost\na,13/14/2026 1:00,1\nb,1788264000,1\nc,1788264000,much\nd,1788264000,1.2.3\n"
        )
    assert [trouble.line for trouble in caught.value.troubles] == [2, 4, 5]
    assert "2026-09-01T12:00:00Z" in caught.value.troubles[0].message


@given(st.text(alphabet='id,time"\n;0123456789.-: ', max_size=80))
def test_nothing_but_a_refusal_escapes(text: str) -> None:
    """Whatever a file holds, it is read or refused."""
    with contextlib.suppress(StatementError):
        read_statement(f"id,time,model,cost\n{text}".encode())
