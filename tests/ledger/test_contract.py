"""What both ledgers promise alike."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from veo_async.engine.lifecycle import IllegalTransitionError, Move, State, move_for
from veo_async.errors import BudgetExceededError, InvalidRequestError, LedgerError
from veo_async.ledger import Ledger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord, Pruned
from veo_async.models import (
    Failed,
    Filtered,
    JobId,
    Outcome,
    Rejected,
    Result,
    Succeeded,
    Unknown,
    Video,
    Withdrawn,
)

from .samples import PNG, REJECTED, SUCCEEDED, UNKNOWN, job, move

pytestmark = pytest.mark.anyio


async def bytes_of(ledger: Ledger, sha256: str) -> bytes:
    content = await ledger.content(sha256)
    return content.read_bytes() if isinstance(content, Path) else content


async def test_a_job_comes_back_as_it_was_kept(ledger: Ledger) -> None:
    record = job(key="scene-1")
    assert await ledger.add(record) == record
    assert await ledger.get(record.id) == record
    assert await ledger.select() == [record]


async def test_an_unknown_job_is_none(ledger: Ledger) -> None:
    assert await ledger.get(JobId("nobody")) is None
    assert await ledger.find("gptproto", "operations/1") is None
    assert list(await ledger.files(JobId("nobody"))) == []
    assert list(await ledger.moves(JobId("nobody"))) == []


async def test_a_job_goes_its_whole_way(ledger: Ledger) -> None:
    record = await ledger.add(job())
    armed = await ledger.apply(move(record, Move.ARMED, 1.5))
    assert armed == evolve(record, state=State.ARMED, attempts=1, armed_at=1.5)
    running = await ledger.apply(move(record, Move.STARTED, 2.5, name="operations/1"))
    assert running == evolve(armed, state=State.RUNNING, operation="operations/1", accepted_at=2.5)
    done = await ledger.apply(move(record, Move.SUCCEEDED, 3.5, outcome=SUCCEEDED))
    assert done == evolve(running, state=State.SUCCEEDED, outcome=SUCCEEDED, finished_at=3.5)
    assert await ledger.get(record.id) == done
    assert await ledger.find("gptproto", "operations/1") == done
    assert await ledger.find("vertex", "operations/1") is None


async def test_every_move_is_recorded_as_proof(ledger: Ledger) -> None:
    record = await ledger.add(job())
    for at, what in enumerate((Move.ARMED, Move.NOT_STARTED, Move.ARMED)):
        await ledger.apply(move(record, what, at + 0.1))
    assert list(await ledger.moves(record.id)) == [
        MoveRecord(job_id=record.id, move=Move.ARMED, at=0.1),
        MoveRecord(job_id=record.id, move=Move.NOT_STARTED, at=1.1),
        MoveRecord(job_id=record.id, move=Move.ARMED, at=2.1),
    ]
    again = await ledger.get(record.id)
    assert again is not None
    assert (again.state, again.attempts) == (State.ARMED, 2)


async def test_an_illegal_move_raises_and_changes_nothing(ledger: Ledger) -> None:
    record = await ledger.add(job())
    with pytest.raises(IllegalTransitionError, match="queued cannot meet started"):
        await ledger.apply(move(record, Move.STARTED, name="operations/1"))
    assert await ledger.get(record.id) == record
    assert list(await ledger.moves(record.id)) == []
    assert await ledger.find("gptproto", "operations/1") is None


async def test_an_outcome_of_another_move_is_refused(ledger: Ledger) -> None:
    record = await ledger.add(job())
    with pytest.raises(IllegalTransitionError):
        await ledger.apply(move(record, Move.TAKEN_BACK, outcome=REJECTED))
    assert await ledger.get(record.id) == record


async def test_an_adopted_job_is_unknown_no_more(ledger: Ledger) -> None:
    record = await ledger.add(job())
    await ledger.apply(move(record, Move.ARMED))
    lost = await ledger.apply(move(record, Move.SILENCED, outcome=UNKNOWN))
    assert (lost.outcome, lost.finished_at) == (UNKNOWN, None)
    adopted = await ledger.apply(move(record, Move.STARTED, name="operations/1"))
    assert (adopted.state, adopted.outcome) == (State.RUNNING, None)
    assert await ledger.get(record.id) == adopted


async def test_a_job_cannot_run_without_a_name_nor_lose_it(ledger: Ledger) -> None:
    record = await ledger.add(job())
    await ledger.apply(move(record, Move.ARMED))
    with pytest.raises(LedgerError, match="without an operation name"):
        await ledger.apply(move(record, Move.STARTED))
    await ledger.apply(move(record, Move.STARTED, name="operations/1"))
    with pytest.raises(LedgerError, match="cannot become operations/2"):
        await ledger.apply(move(record, Move.SUCCEEDED, name="operations/2", outcome=SUCCEEDED))
    running = await ledger.find("gptproto", "operations/1")
    assert running is not None
    assert running.state is State.RUNNING


async def test_an_unknown_job_cannot_move(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="not in this ledger") as caught:
        await ledger.apply(move(job(), Move.ARMED))
    assert caught.value.job_id is not None


async def test_the_same_id_twice_is_refused(ledger: Ledger) -> None:
    record = await ledger.add(job())
    with pytest.raises(LedgerError, match="already"):
        await ledger.add(record)


async def test_the_same_key_is_the_same_job(ledger: Ledger) -> None:
    first = await ledger.add(job(key="scene-1"))
    await ledger.apply(move(first, Move.ARMED))
    second = await ledger.add(job(key="scene-1"))
    assert (second.id, second.state) == (first.id, State.ARMED)
    assert len(await ledger.select()) == 1


async def test_another_request_under_a_key_is_refused(ledger: Ledger) -> None:
    first = await ledger.add(job(key="scene-1"))
    with pytest.raises(InvalidRequestError) as caught:
        await ledger.add(job("Another prompt", key="scene-1"))
    assert (caught.value.reason, caught.value.field) == ("key_reuse", "idempotency_key")
    assert caught.value.job_id == first.id


async def test_an_operation_belongs_to_one_job(ledger: Ledger) -> None:
    first, second = await ledger.add(job()), await ledger.add(job())
    for record in (first, second):
        await ledger.apply(move(record, Move.ARMED))
    await ledger.apply(move(first, Move.STARTED, name="operations/1"))
    with pytest.raises(LedgerError, match="another job") as caught:
        await ledger.apply(move(second, Move.STARTED, name="operations/1"))
    assert (caught.value.job_id, caught.value.operation) == (second.id, "operations/1")
    again = await ledger.get(second.id)
    assert again is not None
    assert (again.state, again.operation) == (State.ARMED, None)
    assert [entry.move for entry in await ledger.moves(second.id)] == [Move.ARMED]


async def test_the_same_operation_of_two_providers_is_two_jobs(ledger: Ledger) -> None:
    for provider in ("gptproto", "vertex"):
        await ledger.add(job(provider=provider, state=State.RUNNING, operation="operations/1"))
    assert len(await ledger.select({State.RUNNING})) == 2


async def test_attaching_again_finds_the_job_that_has_the_operation(ledger: Ledger) -> None:
    known = await ledger.add(job(state=State.RUNNING, operation="operations/1", request=None, digest=""))
    new = job(state=State.RUNNING, operation="operations/2", request=None, digest="")
    again = job(state=State.RUNNING, operation="operations/1", request=None, digest="")
    assert list(await ledger.add_many([again, new, new])) == [known, new, new]
    assert len(await ledger.select()) == 2


async def test_add_many_is_all_or_nothing(ledger: Ledger) -> None:
    await ledger.add(job(key="taken"))
    good, bad = job("One", key="free"), job("Another prompt", key="taken")
    with pytest.raises(InvalidRequestError):
        await ledger.add_many([good, bad])
    assert len(await ledger.select()) == 1
    assert await ledger.add(good) == good


async def test_select_gives_the_states_asked_for_oldest_first(ledger: Ledger) -> None:
    records = [await ledger.add(job(created_at=float(10 - n))) for n in range(4)]
    await ledger.apply(move(records[1], Move.TAKEN_BACK, outcome=Withdrawn()))
    await ledger.apply(move(records[2], Move.ARMED))
    assert [record.id for record in await ledger.select()] == [record.id for record in records]
    chosen = await ledger.select({State.QUEUED, State.WITHDRAWN})
    assert [record.id for record in chosen] == [records[0].id, records[1].id, records[3].id]
    assert list(await ledger.select(())) == []


async def test_jobs_found_armed_are_unknown_after_opening(ledger: Ledger) -> None:
    record, other = await ledger.add(job()), await ledger.add(job())
    await ledger.apply(move(record, Move.ARMED, 2.5))
    await ledger.close()
    await ledger.open()
    found = await ledger.get(record.id)
    assert found is not None
    assert (found.state, found.armed_at, found.attempts) == (State.UNKNOWN, 2.5, 1)
    assert isinstance(found.outcome, Unknown)
    assert (found.outcome.reason, found.outcome.billed) == ("crashed", "unknown")
    assert [entry.move for entry in await ledger.moves(record.id)] == [Move.ARMED, Move.SILENCED]
    assert await ledger.get(other.id) == other


async def test_files_replace_each_other_by_index(ledger: Ledger) -> None:
    record = await ledger.add(job())
    files = [
        FileRecord(
            job_id=record.id, index=n, path=f"/out/{n}.mp4", sha256="ab" * 32, size=n + 5, stored_at=2.5
        )
        for n in (1, 0)
    ]
    for file in files:
        await ledger.add_file(file)
    later = evolve(files[0], path="/out/new.mp4")
    await ledger.add_file(later)
    assert list(await ledger.files(record.id)) == [files[1], later]
    with pytest.raises(LedgerError, match="not in this ledger"):
        await ledger.add_file(evolve(files[0], job_id=JobId("nobody")))


async def test_content_comes_back_whole(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    assert sha256 == hashlib.sha256(PNG).hexdigest()
    assert await ledger.keep(PNG) == sha256
    assert await bytes_of(ledger, sha256) == PNG


async def test_content_comes_piece_by_piece(ledger: Ledger) -> None:
    pieces = [PNG[start : start + 7] for start in range(0, len(PNG), 7)] + [b"x" * 3_000_000, b""]
    writer = ledger.writer()
    for piece in pieces:
        await writer.write(piece)
    sha256 = await writer.keep()
    await writer.discard()  # it is kept already
    assert sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert await bytes_of(ledger, sha256) == b"".join(pieces)
    assert await ledger.writer().keep() == hashlib.sha256(b"").hexdigest()


async def test_content_that_is_discarded_or_released_is_gone(ledger: Ledger) -> None:
    writer = ledger.writer()
    await writer.write(PNG)
    await writer.discard()
    await writer.discard()
    await ledger.writer().discard()
    sha256 = hashlib.sha256(PNG).hexdigest()
    with pytest.raises(LedgerError):
        await ledger.content(sha256)
    assert await ledger.keep(PNG) == sha256
    await ledger.release(sha256)
    with pytest.raises(LedgerError):
        await ledger.content(sha256)


async def test_content_that_a_job_names_is_not_released(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    await ledger.add(job(image=sha256))
    assert await ledger.keep(PNG) == sha256
    await ledger.release(sha256)
    assert await bytes_of(ledger, sha256) == PNG


@pytest.mark.parametrize("name", ["0" * 64, "../jobs.db", ""])
async def test_content_that_is_not_kept_is_an_error(ledger: Ledger, name: str) -> None:
    with pytest.raises(LedgerError, match="not kept here"):
        await ledger.content(name)


async def test_media_are_dropped_once_the_job_is_accepted(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    record = await ledger.add(job(image=sha256))
    await ledger.apply(move(record, Move.ARMED))
    assert await bytes_of(ledger, sha256) == PNG
    await ledger.apply(move(record, Move.STARTED, name="operations/1"))
    with pytest.raises(LedgerError):
        await ledger.content(sha256)
    running = await ledger.get(record.id)
    assert running is not None
    assert running.request == record.request


async def test_media_are_dropped_once_the_job_is_final(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    record = await ledger.add(job(image=sha256))
    await ledger.apply(move(record, Move.TAKEN_BACK, outcome=Withdrawn()))
    with pytest.raises(LedgerError):
        await ledger.content(sha256)


async def test_media_of_an_unknown_job_stay(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    record = await ledger.add(job(image=sha256))
    await ledger.apply(move(record, Move.ARMED))
    await ledger.apply(move(record, Move.SILENCED, outcome=UNKNOWN))
    assert await bytes_of(ledger, sha256) == PNG


async def test_media_stay_while_another_job_needs_them(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    first = await ledger.add(job(image=sha256))
    await ledger.keep(PNG)
    second = await ledger.add(job(image=sha256))
    await ledger.apply(move(first, Move.TAKEN_BACK, outcome=Withdrawn()))
    assert await bytes_of(ledger, sha256) == PNG
    await ledger.apply(move(second, Move.TAKEN_BACK, outcome=Withdrawn()))
    with pytest.raises(LedgerError):
        await ledger.content(sha256)


async def test_media_stay_between_keep_and_add(ledger: Ledger) -> None:
    """A new job's media must not go with an old job that has the same, before the new job is kept."""
    sha256 = await ledger.keep(PNG)
    first = await ledger.add(job(image=sha256))
    await ledger.keep(PNG)
    await ledger.apply(move(first, Move.TAKEN_BACK, outcome=Withdrawn()))
    second = await ledger.add(job(image=sha256))
    assert await bytes_of(ledger, sha256) == PNG
    await ledger.apply(move(second, Move.ARMED))
    assert await bytes_of(ledger, sha256) == PNG


async def test_media_of_a_job_known_by_its_key_are_not_kept_twice(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    first = await ledger.add(job(key="scene-1", image=sha256))
    await ledger.apply(move(first, Move.ARMED))
    await ledger.apply(move(first, Move.STARTED, name="operations/1"))
    await ledger.keep(PNG)
    again = await ledger.add(job(key="scene-1", image=sha256))
    assert again.id == first.id
    with pytest.raises(LedgerError):
        await ledger.content(sha256)


async def test_a_withdrawn_job_gives_its_key_back(ledger: Ledger) -> None:
    first = await ledger.add(job(key="scene-1"))
    withdrawn = await ledger.apply(move(first, Move.TAKEN_BACK, outcome=Withdrawn()))
    assert withdrawn.idempotency_key is None
    second = await ledger.add(job(key="scene-1"))
    assert second.id != first.id
    assert (await ledger.add(job(key="scene-1"))).id == second.id


async def test_videos_that_came_inside_an_answer_stay(ledger: Ledger) -> None:
    record = await ledger.add(job(state=State.RUNNING, operation="operations/1"))
    sha256 = await ledger.keep(b"a whole video")
    outcome = Succeeded(result=Result(videos=(Video(sha256=sha256, mime_type="video/mp4"),)))
    await ledger.apply(move(record, Move.SUCCEEDED, outcome=outcome))
    # An extension of that video lets go of its own media, not of the other job's result.
    extension = await ledger.add(job(image=sha256))
    await ledger.apply(move(extension, Move.TAKEN_BACK, outcome=Withdrawn()))
    assert await bytes_of(ledger, sha256) == b"a whole video"


async def test_what_the_provider_said_is_kept_to_the_letter(ledger: Ledger) -> None:
    outcome = Filtered(reasons=("violence",), count=2, raw={"a": [1, None, "ü\ud800"]})
    record = await ledger.add(job(state=State.RUNNING, operation="operations/ü"))
    await ledger.apply(move(record, Move.FILTERED, outcome=outcome))
    found = await ledger.get(record.id)
    assert found is not None
    assert found.outcome == outcome


async def test_closing_twice_is_fine(ledger: Ledger) -> None:
    await ledger.close()
    await ledger.close()


# Unknown jobs: settled, adopted, sent again


async def unknown_job(ledger: Ledger, **facts: Any) -> JobRecord:
    record = await ledger.add(job(**facts))
    await ledger.apply(move(record, Move.ARMED))
    return await ledger.apply(move(record, Move.SILENCED, outcome=UNKNOWN))


async def test_how_an_operation_was_found_is_kept(ledger: Ledger) -> None:
    record = await unknown_job(ledger)
    found = Change(job_id=record.id, move=Move.STARTED, at=5.0, operation="operations/1", adopted="list")
    assert (await ledger.apply(found)).adopted == "list"
    await ledger.apply(move(record, Move.SUCCEEDED, outcome=SUCCEEDED))
    again = await ledger.get(record.id)
    assert again is not None
    assert (again.adopted, again.outcome) == ("list", SUCCEEDED)


@pytest.mark.parametrize(
    ("what", "outcome", "state"),
    [
        (Move.DECLINED, Rejected(reason="not_started"), State.REJECTED),
        (Move.FAILED, Failed(reason="lost", billed="yes"), State.FAILED),
    ],
)
async def test_an_unknown_job_can_be_settled(
    ledger: Ledger, what: Move, outcome: Outcome, state: State
) -> None:
    record = await unknown_job(ledger)
    settled = await ledger.apply(move(record, what, 9.5, outcome=outcome))
    assert settled == evolve(record, state=state, outcome=outcome, finished_at=9.5)
    assert await ledger.get(record.id) == settled


async def test_a_queued_job_of_a_restored_backup_becomes_unknown(ledger: Ledger) -> None:
    record = await ledger.add(job())
    restored = await ledger.apply(move(record, Move.SILENCED, outcome=Unknown(reason="restored")))
    assert restored == evolve(record, state=State.UNKNOWN, outcome=Unknown(reason="restored"))
    with pytest.raises(IllegalTransitionError):
        await ledger.apply(move(record, Move.ARMED))


async def test_a_job_that_replaces_an_unknown_one_takes_its_key(ledger: Ledger) -> None:
    old = await unknown_job(ledger, key="scene-1")
    new = await ledger.add(job(replaces=old.id))
    assert (new.replaces, new.idempotency_key) == (old.id, "scene-1")
    assert await ledger.get(new.id) == await ledger.keyed("scene-1") == new
    assert await ledger.get(old.id) == evolve(old, idempotency_key=None)
    adopted = await ledger.apply(move(old, Move.STARTED, name="operations/1"))
    assert adopted.idempotency_key is None


async def test_an_unknown_job_is_replaced_once(ledger: Ledger) -> None:
    """Sent again twice at once, it is one job all the same."""
    old = await unknown_job(ledger, key="scene-1")
    first = await ledger.add(job(replaces=old.id))
    assert await ledger.add(job(replaces=old.id)) == first
    assert await ledger.add(evolve(old, id=JobId("again"), state=State.QUEUED, replaces=old.id)) == first
    assert len(await ledger.select()) == 2
    await ledger.apply(move(old, Move.STARTED, name="operations/1"))
    assert await ledger.add(job(replaces=old.id)) == first  # though it is unknown no more


async def test_a_replacement_that_became_unknown_can_be_replaced(ledger: Ledger) -> None:
    old = await unknown_job(ledger, key="scene-1")
    middle = await unknown_job(ledger, replaces=old.id)
    last = await ledger.add(job(replaces=middle.id))
    assert await ledger.keyed("scene-1") == last
    assert await ledger.add(job(replaces=old.id)) == await ledger.get(middle.id)


async def test_only_an_unknown_job_is_replaced(ledger: Ledger) -> None:
    queued = await ledger.add(job(key="scene-1"))
    with pytest.raises(LedgerError, match="is queued"):
        await ledger.add(job(replaces=queued.id))
    with pytest.raises(LedgerError, match="not in this ledger"):
        await ledger.add(job(replaces=JobId("nobody")))
    assert await ledger.select() == [queued]


async def test_a_job_is_replaced_by_the_same_request_only(ledger: Ledger) -> None:
    old = await unknown_job(ledger, key="scene-1")
    for other in (job("Another prompt", replaces=old.id), job(key="scene-2", replaces=old.id)):
        with pytest.raises(LedgerError, match="another request"):
            await ledger.add(other)
    assert await ledger.select() == [old]


async def test_a_withdrawn_replacement_gives_all_back(ledger: Ledger) -> None:
    """The key must not be free: asked for under it, the unknown job would be sent twice."""
    old = await unknown_job(ledger, key="scene-1")
    new = await ledger.add(job(replaces=old.id))
    withdrawn = await ledger.apply(move(new, Move.TAKEN_BACK))
    assert (withdrawn.replaces, withdrawn.idempotency_key) == (None, None)
    assert await ledger.keyed("scene-1") == await ledger.get(old.id) == old
    assert await ledger.add(job(key="scene-1")) == old
    other = await ledger.add(job(replaces=old.id))
    assert (other.replaces, other.idempotency_key) == (old.id, "scene-1")


async def test_a_replacement_that_fails_with_others_changes_nothing(ledger: Ledger) -> None:
    old = await unknown_job(ledger, key="scene-1")
    taken = await ledger.add(job("Another prompt", key="taken"))
    with pytest.raises(InvalidRequestError):
        await ledger.add_many([job(replaces=old.id), job(key="taken")])
    assert await ledger.select() == [old, taken]
    assert await ledger.keyed("scene-1") == old
    assert (await ledger.add(job(replaces=old.id))).replaces == old.id


# Caps


async def test_a_job_past_the_cap_is_not_armed(ledger: Ledger) -> None:
    first, second = await ledger.add(job()), await ledger.add(job())
    caps = Caps(max_cost=2.0)
    await ledger.apply(move(first, Move.ARMED), caps)
    with pytest.raises(BudgetExceededError, match="max_cost"):
        await ledger.apply(move(second, Move.ARMED), caps)
    assert await ledger.get(second.id) == second
    assert list(await ledger.moves(second.id)) == []
    await ledger.apply(move(first, Move.DECLINED, outcome=REJECTED), caps)  # refused: its money is free again
    await ledger.apply(move(second, Move.ARMED), caps)


async def test_two_jobs_that_arm_at_once_do_not_pass_the_cap_together(ledger: Ledger) -> None:
    records = [await ledger.add(job()) for _ in range(10)]
    arming = (ledger.apply(move(record, Move.ARMED), Caps(max_cost=3.7)) for record in records)
    told = await asyncio.gather(*arming, return_exceptions=True)
    assert [type(one) for one in told].count(JobRecord) == 3
    assert len(await ledger.select({State.ARMED})) == 3


async def test_unknown_jobs_hold_back_the_others_until_they_are_settled(ledger: Ledger) -> None:
    unknown = await unknown_job(ledger)
    record = await ledger.add(job())
    caps = Caps(max_unknown_cost=1.0)
    with pytest.raises(BudgetExceededError, match="max_unknown_cost"):
        await ledger.apply(move(record, Move.ARMED), caps)
    await ledger.apply(move(unknown, Move.DECLINED, outcome=REJECTED))
    assert (await ledger.apply(move(record, Move.ARMED), caps)).state is State.ARMED


async def test_caps_are_no_matter_for_what_is_sent_already(ledger: Ledger) -> None:
    record = await ledger.add(job())
    await ledger.apply(move(record, Move.ARMED))
    running = await ledger.apply(move(record, Move.STARTED, name="operations/1"), Caps(max_cost=0))
    assert running.state is State.RUNNING


# Pruning


async def finished(
    ledger: Ledger, at: float, name: str, outcome: Outcome = SUCCEEDED, **facts: Any
) -> JobRecord:
    record = await ledger.add(job(**facts))
    await ledger.apply(move(record, Move.ARMED))
    await ledger.apply(move(record, Move.STARTED, name=name))
    return await ledger.apply(move(record, move_for(outcome), at, outcome=outcome))


async def test_a_pruned_job_keeps_its_facts_and_loses_its_words(ledger: Ledger) -> None:
    outcome = evolve(SUCCEEDED, result=evolve(SUCCEEDED.result, enhanced_prompt="A boat of paper"))
    record = await finished(ledger, 50.0, "operations/1", outcome, key="scene-1")
    file = FileRecord(job_id=record.id, index=0, path="/out/0.mp4", sha256="ab" * 32, size=5, stored_at=2.5)
    await ledger.add_file(file)
    moves = list(await ledger.moves(record.id))
    assert await ledger.prune(60.0) == Pruned(jobs=1)
    bare = await ledger.get(record.id)
    assert bare == evolve(record, request=None, outcome=Succeeded(result=SUCCEEDED.result))
    assert await ledger.find("gptproto", "operations/1") == await ledger.keyed("scene-1") == bare
    assert list(await ledger.files(record.id)) == [file]
    assert list(await ledger.moves(record.id)) == moves
    assert await ledger.add(job(key="scene-1")) == bare
    assert await ledger.prune(60.0) == Pruned()  # once is enough


async def test_only_final_jobs_of_before_are_pruned(ledger: Ledger) -> None:
    late = await finished(ledger, 60.0, "operations/1")
    unknown = await unknown_job(ledger)
    queued = await ledger.add(job())
    assert await ledger.prune(60.0) == Pruned()
    assert await ledger.select() == [late, unknown, queued]


async def test_many_jobs_are_pruned_whatever_came_first(ledger: Ledger) -> None:
    numbers = range(450)
    await asyncio.gather(*(finished(ledger, 50.0 + n % 2, f"operations/{n}") for n in numbers))
    assert await ledger.prune(50.5) == Pruned(jobs=225)
    assert sum(record.request is None for record in await ledger.select()) == 225


async def test_videos_inside_answers_go_once_they_were_saved(ledger: Ledger) -> None:
    """What was paid for and stands nowhere else stays."""
    saved, unsaved = await ledger.keep(b"saved"), await ledger.keep(b"not saved")
    videos = (Video(sha256=saved, index=0), Video(sha256=unsaved, index=1))
    record = await finished(ledger, 50.0, "operations/1", Succeeded(result=Result(videos=videos)))
    file = FileRecord(job_id=record.id, index=0, path="/out/0.mp4", sha256=saved, size=5, stored_at=2.5)
    await ledger.add_file(file)
    assert await ledger.prune(60.0) == Pruned(jobs=1, contents=1)
    with pytest.raises(LedgerError):
        await ledger.content(saved)
    assert await bytes_of(ledger, unsaved) == b"not saved"
    bare = await ledger.get(record.id)
    assert bare is not None
    assert bare.outcome == Succeeded(result=Result(videos=(Video(index=0), videos[1])))


async def test_content_that_another_job_needs_is_not_pruned(ledger: Ledger) -> None:
    sha256 = await ledger.keep(PNG)
    await ledger.add(job(image=sha256))
    video = await ledger.keep(PNG)
    videos = (Video(sha256=video),)
    record = await finished(ledger, 50.0, "operations/1", Succeeded(result=Result(videos=videos)))
    file = FileRecord(job_id=record.id, index=0, path="/out/0.mp4", sha256=video, size=5, stored_at=2.5)
    await ledger.add_file(file)
    assert await ledger.prune(60.0) == Pruned(jobs=1)
    assert await bytes_of(ledger, sha256) == PNG


async def test_reopening_a_ledger_that_is_well_changes_nothing(ledger: Ledger) -> None:
    record = await ledger.add(job())
    armed = await ledger.apply(move(record, Move.ARMED))
    await ledger.reopen()
    assert await ledger.select() == [armed]
