"""Promises taken out by hand, one at a time: each must be caught by the invariants."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final, cast
from unittest.mock import patch

from attrs import evolve

from veo_async.answers import Lost, Unreadable
from veo_async.dialects import operation_names
from veo_async.engine import lifecycle, retries, watches
from veo_async.engine.events import Action
from veo_async.engine.lifecycle import Move, State, move_for
from veo_async.engine.pacing import Pacer
from veo_async.errors import LedgerError
from veo_async.job import Job
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.records import Change
from veo_async.models import Outcome
from veo_async.session.book import Book
from veo_async.session.budget import Budget
from veo_async.session.checking import Checker
from veo_async.session.recording import Recorder
from veo_async.session.resolving import Resolver
from veo_async.session.runtime import Runtime
from veo_async.session.submitting import Submitter

__all__ = ["MUTANTS"]

Mutant = Callable[[], AbstractContextManager[Any]]


def _always(*_: object) -> bool:
    return True


def _no_actions(*_: object) -> list[Action]:
    return []


def _nothing(*_: object) -> None:
    pass


def _all(*patches: AbstractContextManager[Any]) -> AbstractContextManager[Any]:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack


def _moving(*answers: type, to: Move) -> AbstractContextManager[Any]:
    """Let some answers to a submit mean another move."""

    def submit_move(answer: Any, policy: Any) -> Move:
        return to if isinstance(answer, answers) else retries.submit_move(answer, policy)

    return patch("veo_async.session.submitting.submit_move", submit_move)


def resend_after_lost() -> AbstractContextManager[Any]:
    return _moving(Lost, to=Move.NOT_STARTED)


def resend_after_unreadable() -> AbstractContextManager[Any]:
    return _moving(Unreadable, to=Move.NOT_STARTED)


def lost_is_rejected() -> AbstractContextManager[Any]:
    return _moving(Lost, to=Move.DECLINED)


def no_arm() -> AbstractContextManager[Any]:
    async def arm(self: Submitter, job: Job) -> None:
        self.sent += 1

    return patch.object(Submitter, "_arm", arm)


def arm_not_awaited() -> AbstractContextManager[Any]:
    real = Submitter._arm

    async def arm(self: Submitter, job: Job) -> None:
        self._spawn(real, self, job)

    return patch.object(Submitter, "_arm", arm)


def arm_in_spite_of_the_disk() -> AbstractContextManager[Any]:
    real = Submitter._arm

    async def arm(self: Submitter, job: Job) -> None:
        try:
            await real(self, job)
        except LedgerError:
            self.sent += 1

    return patch.object(Submitter, "_arm", arm)


def hint_forgotten() -> AbstractContextManager[Any]:
    return patch.object(Pacer, "hint", _nothing)


def hint_told_late() -> AbstractContextManager[Any]:
    return patch.object(Submitter, "_pass_on_hint", _nothing)


def due_checks_go_on() -> AbstractContextManager[Any]:
    return patch.object(Checker, "_return_due", _nothing)


def crash_means_queued() -> AbstractContextManager[Any]:
    async def open_(self: MemoryLedger) -> None:
        for record in await self.select({State.ARMED}):
            await self.apply(Change(job_id=record.id, move=Move.NOT_STARTED, at=0.0))
            self._moves[record.id] = self._moves[record.id][:-1]

    return patch.object(MemoryLedger, "open", open_)


def told_before_durable() -> AbstractContextManager[Any]:
    real = Resolver._record

    async def record(self: Resolver, job: Job, outcome: Any) -> None:
        if job.state is State.RUNNING:
            state = lifecycle.advance(job.state, move_for(cast("Outcome", outcome)))
            before = job.record
            job.advance(evolve(before, state=state, outcome=outcome), 0.0)
            await asyncio.sleep(0)
            job._record = before
        await real(self, job, outcome)

    return patch.object(Resolver, "_record", record)


def unknown_sent_by_resume() -> AbstractContextManager[Any]:
    real = Runtime.take_up
    pairs = {**lifecycle.TRANSITIONS[State.UNKNOWN], Move.ARMED: State.ARMED}

    def take_up(self: Runtime, records: Any) -> list[Job]:
        return real(
            self, [evolve(one, state=State.QUEUED) if one.state is State.UNKNOWN else one for one in records]
        )

    return _all(
        patch.object(Runtime, "take_up", take_up),
        patch.dict(cast("dict[State, Any]", lifecycle.TRANSITIONS), {State.UNKNOWN: pairs}),
    )


def early_404_is_final() -> AbstractContextManager[Any]:
    return _all(patch.object(watches, "NEW_S", 0.0), patch.object(watches, "MISSING_TIMES", 1))


def empty_is_final() -> AbstractContextManager[Any]:
    return patch.object(watches, "EMPTY_GAPS_S", ())


def any_name_will_do() -> AbstractContextManager[Any]:
    return patch.object(operation_names, "same", _always)


def one_awaiter_woken() -> AbstractContextManager[Any]:
    real = Job.wake

    def wake(self: Job) -> None:
        if self.state not in lifecycle.FINAL:
            real(self)

    return patch.object(Job, "wake", wake)


def pause_never_ends() -> AbstractContextManager[Any]:
    return _all(
        patch.object(Book, "go_on", _nothing),
        patch("veo_async.engine.lanes.Lane.lift", _no_actions),
    )


def money_not_counted() -> AbstractContextManager[Any]:
    return _all(
        patch.object(Budget, "reserve", _nothing),
        patch("veo_async.ledger.memory.check_caps", _nothing),
    )


def unknown_money_not_counted() -> AbstractContextManager[Any]:
    return patch("veo_async.ledger.money._check_unknown_cost", _nothing)


def key_ignored() -> AbstractContextManager[Any]:
    return patch.object(MemoryLedger, "_standing", _nothing)


class _Names(dict[Any, Any]):
    """Gives a name to whoever asks last."""

    def setdefault(self, key: Any, default: Any = None) -> Any:
        self[key] = default
        return default


def name_of_another() -> AbstractContextManager[Any]:
    real = MemoryLedger.__init__

    async def unless_taken(self: Recorder, change: Change, provider: str) -> Change:
        return change

    def init(self: MemoryLedger) -> None:
        real(self)
        self._by_operation = defaultdict(_Names)

    return _all(
        patch.object(Recorder, "unless_taken", unless_taken), patch.object(MemoryLedger, "__init__", init)
    )


def not_started_unrecorded() -> AbstractContextManager[Any]:
    real = Recorder.apply

    async def apply(self: Recorder, job: Job, change: Change, *rest: Any) -> None:
        if change.move is Move.NOT_STARTED:
            job.advance(evolve(job.record, state=State.QUEUED), change.at)
        else:
            await real(self, job, change, *rest)

    return patch.object(Recorder, "apply", apply)


def cancel_ends_the_submit() -> AbstractContextManager[Any]:
    real_run, real_give_up = Submitter._run, Runtime.give_up
    tasks: dict[str, asyncio.Task[Any] | None] = {}

    async def run(self: Submitter, job: Job) -> None:
        tasks[job.id] = asyncio.current_task()
        await real_run(self, job)

    def give_up(self: Runtime, job: Job) -> None:
        task = tasks.get(job.id)
        if task is not None and job.state is State.ARMED:
            task.cancel()
        real_give_up(self, job)

    return _all(patch.object(Submitter, "_run", run), patch.object(Runtime, "give_up", give_up))


def answer_kept_in_memory() -> AbstractContextManager[Any]:
    async def keep(self: Recorder, job: Job, change: Change, failure: LedgerError) -> None:
        state = lifecycle.advance(job.state, change.move)
        job.advance(evolve(job.record, state=state, operation=change.operation), change.at)

    return patch.object(Recorder, "keep", keep)


MUTANTS: Final[Mapping[str, Mutant]] = {
    "a lost answer is sent again": resend_after_lost,
    "an unreadable answer is sent again": resend_after_unreadable,
    "a lost answer counts as a rejection": lost_is_rejected,
    "ARM is left out": no_arm,
    "ARM is not waited for": arm_not_awaited,
    "ARM may fail": arm_in_spite_of_the_disk,
    "the hint is forgotten": hint_forgotten,
    "the hint is told when the answer is on record": hint_told_late,
    "checks that were granted go on after a 429": due_checks_go_on,
    "ARMED after a crash counts as queued": crash_means_queued,
    "success is told before it is durable": told_before_durable,
    "resume sends unknown jobs": unknown_sent_by_resume,
    "an early 404 is final": early_404_is_final,
    "done with nothing is final at once": empty_is_final,
    "an answer about another operation is taken": any_name_will_do,
    "the end wakes nobody": one_awaiter_woken,
    "a pause never ends": pause_never_ends,
    "money is not counted": money_not_counted,
    "unknown money is not counted": unknown_money_not_counted,
    "the idempotency key is ignored": key_ignored,
    "another job's operation is adopted": name_of_another,
    "a proof of not started is not recorded": not_started_unrecorded,
    "cancelling an awaiter ends the submit": cancel_ends_the_submit,
    "an answer that the disk did not take counts as recorded": answer_kept_in_memory,
}
"""What is taken out, by what it does then."""
