"""A statement settles what it proves, and nothing that could be read in two ways."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from veo_async.cli.matching import Comparison, compare
from veo_async.cli.statement import read_statement
from veo_async.cli.verdicts import Verdict, change_of, same_model
from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import JobRecord
from veo_async.ledger.rules import moved
from veo_async.models import Failed, JobId, Rejected, Succeeded

from .samples import OUTCOMES, job

T = 1_788_264_000.0
MODEL = "veo-3.1-fast-generate-preview"
HOUR = 3600


def known(name: str, at: float = T, state: State = State.SUCCEEDED) -> JobRecord:
    """A job whose operation is known, armed at `at`."""
    operation = f"models/{MODEL}/operations/{name}"
    return attrs.evolve(job(name, state), operation=operation, armed_at=at)


def unknown(name: str = "u", at: float = T) -> JobRecord:
    """A job that got no readable answer, armed at `at`."""
    return attrs.evolve(job(name, State.UNKNOWN), armed_at=at)


Line = tuple[str, float | str, str, str]


def against(records: Sequence[JobRecord], *lines: Line, header: str = "id,time,model,cost") -> Comparison:
    """Compare jobs with the lines of a statement: id, time, model, cost."""
    rows = "".join(",".join(map(str, line)) + "\n" for line in lines)
    return compare(records, read_statement(f"{header}\n{rows}".encode()))


def early_and_late(*, first: float = T - 2 * HOUR, last: float = T + 2 * HOUR) -> list[Line]:
    """Rows of another service on both sides, so that the statement covers the time between."""
    return [("e", first, "gpt-5", "0.01"), ("l", last, "gpt-5", "0.01")]


def test_operations_match_by_full_name_and_by_last_part() -> None:
    """A statement may have either; what is in one list alone is told."""
    records = [known("a"), known("b"), known("c")]
    lines: list[Line] = [
        ("a", T, MODEL, "0.8"),
        (f"models/{MODEL}/operations/b", T, MODEL, "0.8"),
        ("x", T, MODEL, "0.8"),
    ]
    found = against(records, *lines)
    assert [record.id for record, _ in found.both] == ["job-of-a", "job-of-b"]
    assert [usage.name for usage in found.foreign] == ["x"]
    assert [record.id for record in found.absent] == ["job-of-c"]
    assert list(found.owed) == list(found.foreign)


def test_a_last_part_that_two_operations_share_is_nobodys() -> None:
    """Only the full name tells them apart."""
    twin = attrs.evolve(known("a"), id=JobId("twin"), operation="models/veo-2.0/operations/a")
    assert against([known("a"), twin], ("a", T, MODEL, "1")).both == ()
    [(record, _)] = against([known("a"), twin], ("models/veo-2.0/operations/a", T, MODEL, "1")).both
    assert record is twin


def test_what_is_charged_for_other_services_is_no_operation_of_ours() -> None:
    """One account may pay for much; a video model that we never asked for is still told."""
    lines: list[Line] = [("g", T, "gpt-5", "1"), ("v", T, "veo-2.0", "1"), ("n", T, "", "1")]
    found = against([known("a")], *lines)
    assert [usage.name for usage in found.other] == ["g"]
    assert [usage.name for usage in found.foreign] == ["v", "n"]


def test_what_cost_nothing_is_owed_by_nobody() -> None:
    """A foreign row without a charge is told, and is no debt."""
    found = against([known("a")], ("x", T, MODEL, "0"))
    assert (len(found.foreign), len(found.owed)) == (1, 0)


@pytest.mark.parametrize("apart", [-60, 0, 45, 600])
def test_a_row_that_alone_fits_alone_is_adopted(apart: float) -> None:
    """By model and time, written as other operations of that provider are."""
    [finding] = against([known("a", T - HOUR), unknown()], ("z9", T + apart, "veo3.1-fast", "0.8")).findings
    assert finding.verdict is Verdict.ADOPTED
    change = change_of(finding, 5.0)
    assert (change.move, change.adopted) == (Move.STARTED, "statement")
    running = moved(finding.record, change)
    assert (running.state, running.operation) == (State.RUNNING, f"models/{MODEL}/operations/z9")
    assert (running.adopted, running.outcome) == ("statement", None)


@pytest.mark.parametrize("apart", [-61, 601])
def test_a_row_outside_the_window_is_not_its(apart: float) -> None:
    """A minute before the first byte to ten minutes after it, no more."""
    found = against([unknown()], ("z9", T + apart, MODEL, "0.8"))
    assert found.findings[0].verdict is Verdict.OPEN
    assert [usage.name for usage in found.foreign] == ["z9"]


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        ([unknown()], [("y", T, MODEL, "1"), ("z", T + 9, MODEL, "1")]),
        ([unknown("u"), unknown("w", T + 30)], [("z", T + 31, MODEL, "1")]),
        ([unknown("u"), unknown("w", T + 30)], [("y", T, MODEL, "1"), ("z", T + 31, MODEL, "1")]),
        ([unknown()], [("y", T, MODEL, "1"), ("z", T, "veo-of-a-gateway", "1")]),
        ([unknown()], [("z", T, "veo-of-a-gateway", "1")]),
        ([unknown()], [("z", T, "", "1")]),
    ],
    ids=["two rows", "two jobs", "two of each", "a doubtful row beside it", "doubtful model", "no model"],
)
def test_what_could_be_read_in_two_ways_stays_unknown(records: list[JobRecord], lines: list[Line]) -> None:
    """Neither adopted nor taken for never started; the reason names the lines."""
    found = against(records, *lines, *early_and_late())
    assert {finding.verdict for finding in found.findings} == {Verdict.OPEN}
    assert "line" in found.findings[0].why
    with pytest.raises(ValueError, match="nothing is proven"):
        change_of(found.findings[0], 0.0)


def test_a_model_is_known_by_what_rows_of_known_operations_call_it() -> None:
    """A gateway's own name for a model is learned from a row that has its id."""
    records = [known("a", T - HOUR), unknown()]
    lines: list[Line] = [("a", T - HOUR, "veo-of-a-gateway", "1"), ("z", T, "veo-of-a-gateway", "1")]
    assert against(records, *lines).findings[0].verdict is Verdict.ADOPTED


@pytest.mark.parametrize(("cost", "billed"), [("0.8", "yes"), ("0", "no")])
def test_a_row_without_an_id_says_it_was_started_and_what_it_cost(cost: str, billed: str) -> None:
    """It cannot be found: failed, billed as the row says."""
    [finding] = against([unknown()], ("", T, MODEL, cost)).findings
    assert finding.verdict is Verdict.LOST
    failed = moved(finding.record, change_of(finding, 5.0))
    assert failed.state is State.FAILED
    assert isinstance(failed.outcome, Failed)
    assert (failed.outcome.reason, failed.outcome.billed) == ("lost", billed)


def test_a_row_that_settled_a_job_before_is_found_again() -> None:
    """It is no new operation, and no other unknown job's; a second such row is."""
    lines: list[Line] = [("", T, MODEL, "0.8"), ("a", T, MODEL, "1")]
    [finding] = against([unknown()], *lines[:1]).findings
    settled = moved(finding.record, change_of(finding, 5.0))
    found = against([settled, unknown("w", T + 9)], *lines[:1])
    assert ([record.id for record, _ in found.both], found.foreign) == ([settled.id], ())
    assert found.findings[0].verdict is Verdict.OPEN
    assert len(against([settled], *lines[:1], ("", T + 1, MODEL, "0.8")).foreign) == 1
    assert len(against([settled], lines[1]).foreign) == 1


def test_a_row_with_neither_id_nor_charge_settles_nothing() -> None:
    """It was started; what came of it is not told."""
    [finding] = against([unknown()], ("", T, MODEL, "")).findings
    assert finding.verdict is Verdict.OPEN


def test_a_statement_that_reaches_well_beyond_and_has_no_row_proves_it_never_started() -> None:
    """From ten minutes before to an hour after."""
    edges = early_and_late(first=T - 600, last=T + HOUR)
    [finding] = against([unknown()], *edges).findings
    assert finding.verdict is Verdict.NOT_STARTED
    rejected = moved(finding.record, change_of(finding, 5.0))
    assert rejected.state is State.REJECTED
    assert isinstance(rejected.outcome, Rejected)
    assert (rejected.outcome.reason, rejected.outcome.billed) == ("not_billed", "no")


@pytest.mark.parametrize(
    ("first", "last"), [(T - 599, T + 2 * HOUR), (T - 2 * HOUR, T + HOUR - 1)], ids=["late", "early"]
)
def test_a_statement_that_does_not_reach_far_enough_proves_nothing(first: float, last: float) -> None:
    """The row may be on the next page."""
    [finding] = against([unknown()], *early_and_late(first=first, last=last)).findings
    assert finding.verdict is Verdict.OPEN
    assert "reach" in finding.why


def test_a_statement_that_misses_a_billed_operation_proves_nothing() -> None:
    """Where one row is missing, another may be, too."""
    records = [known("a", T + 60), unknown()]
    [finding] = against(records, *early_and_late()).findings
    assert finding.verdict is Verdict.OPEN
    assert "not whole" in finding.why
    whole = against(records, ("a", T + 60, MODEL, "1"), *early_and_late())
    assert whole.findings[0].verdict is Verdict.NOT_STARTED
    filtered = attrs.evolve(known("a", T + 60), state=State.FILTERED, outcome=OUTCOMES[State.FILTERED])
    assert against([filtered, unknown()], *early_and_late()).findings[0].verdict is Verdict.NOT_STARTED


def test_a_clock_that_is_not_ours_proves_nothing() -> None:
    """A known operation eight hours off says that all rows are."""
    records = [known("a"), unknown("u", T + 9 * HOUR)]
    lines: list[Line] = [("a", T + 8 * HOUR, MODEL, "1"), *early_and_late(last=T + 12 * HOUR)]
    [finding] = against(records, *lines).findings
    assert finding.verdict is Verdict.OPEN
    assert "+8.0 hours" in finding.why


def test_times_without_a_zone_need_an_operation_that_shows_their_clock() -> None:
    """Else an unknown job's own row could stand hours away from it."""
    rows: list[Line] = [
        ("e", "2026-09-01 08:00:00", "gpt-5", "1"),
        ("l", "2026-09-01 16:00:00", "gpt-5", "1"),
    ]
    vague = against([unknown()], *rows).findings[0]
    assert (vague.verdict, "zone" in vague.why) == (Verdict.OPEN, True)
    shown: list[Line] = [*rows, ("a", "2026-09-01 12:01:00", MODEL, "1")]
    assert against([known("a", T + 60), unknown()], *shown).findings[0].verdict is Verdict.NOT_STARTED


def test_without_times_nothing_is_settled() -> None:
    """Ids alone say nothing of a job that has none."""
    found = against([known("a"), unknown()], ("a", "", "", "1"), header="id,number,colour,cost")
    assert len(found.both) == 1
    assert "no time of day" in found.findings[0].why


def test_a_row_without_a_time_may_be_of_any_job() -> None:
    """So nothing is missing for certain."""
    [finding] = against([unknown()], ("z", "2026-09-01", MODEL, "1"), *early_and_late()).findings
    assert finding.verdict is Verdict.OPEN


def test_a_statement_of_one_service_says_nothing_of_another() -> None:
    """A ledger may have jobs of two."""
    elsewhere = attrs.evolve(known("b"), provider="other", origin="https://other.example")
    [finding] = against([elsewhere, unknown()], *early_and_late()).findings
    assert "nothing shows" in finding.why
    rows: list[Line] = [("b", T, MODEL, "1"), *early_and_late()]
    assert "nothing shows" in against([elsewhere, unknown()], *rows).findings[0].why
    mine = known("a", T + 60)
    rows += [("a", T + 60, MODEL, "1")]
    assert against([elsewhere, mine, unknown()], *rows).findings[0].verdict is Verdict.NOT_STARTED


def test_a_service_of_this_machine_is_the_same_on_another_port() -> None:
    """An emulator comes back elsewhere."""
    moved_on = attrs.evolve(unknown(), origin="http://127.0.0.1:99")
    rows: list[Line] = [("a", T + 60, MODEL, "1"), *early_and_late()]
    assert against([known("a", T + 60), moved_on], *rows).findings[0].verdict is Verdict.NOT_STARTED


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("gptproto", f"models/{MODEL}/operations/z"),
        ("unified", "z"),
        ("vertex", None),
        ("somebodys", None),
    ],
)
def test_a_full_name_is_made_only_where_its_form_is_known(provider: str, name: str | None) -> None:
    """A ledger without an example knows the forms of some; no name is guessed."""
    record = attrs.evolve(unknown(), provider=provider, origin="https://a.example")
    [finding] = against([record], ("z", T, MODEL, "1")).findings
    assert finding.operation == name
    assert (finding.verdict is Verdict.ADOPTED) == (name is not None)


def test_the_form_of_a_name_is_taken_from_an_example_with_the_jobs_own_model() -> None:
    """Vertex names hold project and place; another model stands in its own name."""
    head = "projects/p/locations/l/publishers/google/models"
    example = attrs.evolve(
        known("a", T - HOUR), provider="vertex", model="veo-2", operation=f"{head}/veo-2/operations/a"
    )
    record = attrs.evolve(unknown(), provider="vertex")
    rows: list[Line] = [("a", T - HOUR, "veo-2", "1"), ("z", T, MODEL, "1")]
    assert against([example, record], *rows).findings[0].operation == f"{head}/{MODEL}/operations/z"


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        ("veo3.1-fast", MODEL, True),
        ("google/veo-3.1-fast", MODEL, True),
        ("Veo-3.1", MODEL, False),
        ("gpt-5", MODEL, False),
        ("veo3.1-pro", MODEL, None),
        ("sora-2", "sora-2", True),
        ("gpt-5", "sora-2", None),
    ],
)
def test_model_names_are_compared_by_what_is_known_of_them(theirs: str, ours: str, same: bool | None) -> None:
    """Aliases are one model; what is not known is not told apart."""
    assert same_model(theirs, ours) is same


def test_the_samples_are_as_they_should_be() -> None:
    """A job that succeeded is billed: what proofs rest on."""
    outcome = known("a").outcome
    assert isinstance(outcome, Succeeded)
    assert outcome.billed == "yes"
