"""What both ledgers hold to: how a record changes, what content it needs, who has a key or a name. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from attrs import evolve

from veo_async.engine.lifecycle import FINAL, IllegalTransitionError, Move, State, advance, move_for
from veo_async.errors import InvalidRequestError, LedgerError
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Media, Succeeded, Unknown, Video, VideoRequest

__all__ = [
    "crashed",
    "moved",
    "name_taken",
    "needed",
    "no_such_job",
    "pruned",
    "replacing",
    "same_job",
    "unless_taken",
]

_MAY_BE_SENT: Final = frozenset({State.QUEUED, State.ARMED, State.UNKNOWN})
"""An unknown job counts: its owner may have it sent again."""


def moved(record: JobRecord, change: Change) -> JobRecord:
    """Return the record as it stands after the change.

    Raises:
        IllegalTransitionError: The table has no such pair, the outcome is of another move, or of an operation
            that the job never was.
        LedgerError: A job would run without a name, or lose the one it has.
    """
    state = advance(record.state, change.move)
    if change.outcome is not None and move_for(change.outcome) is not change.move:
        raise IllegalTransitionError(f"{change.move} does not bring {type(change.outcome).__name__}")
    # All fields by name: this runs for every move, and `evolve` takes twice as long.
    return JobRecord(
        id=record.id,
        state=state,
        request=record.request if state in _MAY_BE_SENT else _without_bytes(record.request),
        digest=record.digest,
        # A withdrawn job gives its key back: asked for again, the request is a new job.
        idempotency_key=None if change.move is Move.TAKEN_BACK else record.idempotency_key,
        provider=record.provider,
        origin=record.origin,
        model=record.model,
        operation=_name(record, change),
        # A job that is queued again or adopted is no longer unknown or refused.
        outcome=None if state in (State.QUEUED, State.ARMED, State.RUNNING) else change.outcome,
        attempts=record.attempts + (change.move is Move.ARMED),
        cost_estimate=record.cost_estimate,
        created_at=record.created_at,
        armed_at=change.at if change.move is Move.ARMED else record.armed_at,
        accepted_at=change.at if change.move is Move.STARTED else record.accepted_at,
        finished_at=change.at if state in FINAL else record.finished_at,
        # Withdrawn, it was never sent: the unknown job may be replaced by another.
        replaces=None if change.move is Move.TAKEN_BACK else record.replaces,
        adopted=change.adopted or record.adopted,
    )


def _without_bytes(request: VideoRequest | None) -> VideoRequest | None:
    """Return the request without media that it holds itself: they are large, and not sent again."""
    if request is None or not any(media.data for media in _media(request)):
        return request
    return evolve(
        request,
        image=_emptied(request.image),
        last_frame=_emptied(request.last_frame),
        video=_emptied(request.video),
        reference_images=tuple(evolve(media, data=None) for media in request.reference_images),
    )


def _emptied(media: Media | None) -> Media | None:
    return None if media is None else evolve(media, data=None)


def _media(request: VideoRequest) -> list[Media]:
    single = (request.image, request.last_frame, request.video)
    return [media for media in (*single, *request.reference_images) if media is not None]


def _name(record: JobRecord, change: Change) -> str | None:
    if change.operation is not None and record.operation not in (None, change.operation):
        raise LedgerError(
            f"job {record.id} is operation {record.operation} and cannot become {change.operation}",
            job_id=record.id,
            operation=record.operation,
        )
    if change.operation is not None and record.operation is None and change.move is not Move.STARTED:
        raise IllegalTransitionError(f"{change.move} is about {change.operation}, which the job never was")
    name = change.operation or record.operation
    if change.move is Move.STARTED and name is None:
        raise LedgerError(f"job {record.id} cannot run without an operation name", job_id=record.id)
    return name


def unless_taken(change: Change, holder: JobRecord | None) -> Change:
    """Return the change, or that its job is unknown where its operation is another's, the `holder`."""
    if change.move is not Move.STARTED or holder is None or holder.id == change.job_id:
        return change
    message = f"the provider named operation {change.operation}, which job {holder.id} already has"
    outcome = Unknown(reason="duplicate_name", message=message)
    return evolve(change, move=Move.SILENCED, operation=None, outcome=outcome)


def crashed(record: JobRecord, at: float) -> Change:
    """Return the change for a job that a dead process left ARMED."""
    outcome = Unknown(
        reason="crashed",
        message="the process ended after the request may have been sent and before its answer was recorded",
    )
    return Change(job_id=record.id, move=Move.SILENCED, at=at, outcome=outcome)


def needed(record: JobRecord) -> frozenset[str]:
    """Return the digests of the content that a job needs kept: media until it is accepted, inline videos."""
    given: list[Media | Video] = []
    if record.request is not None and record.state in _MAY_BE_SENT:
        given += _media(record.request)
    if isinstance(record.outcome, Succeeded):
        given += record.outcome.result.videos
    return frozenset([item.sha256 for item in given if item.sha256 is not None])


def replacing(record: JobRecord, old: JobRecord | None) -> JobRecord:
    """Return the new record with the key of the unknown job that it was made to send again.

    Raises:
        LedgerError: There is no such job, it is not unknown, or the new one is another request.
    """
    if old is None or old.state is not State.UNKNOWN:
        known = "is not in this ledger" if old is None else f"is {old.state}"
        raise LedgerError(
            f"job {record.replaces} {known}: only an unknown job is sent again", job_id=record.replaces
        )
    if record.digest != old.digest or record.idempotency_key not in (None, old.idempotency_key):
        raise LedgerError(
            f"job {record.id} is another request than job {old.id}, which it was to send again",
            job_id=old.id,
        )
    return evolve(record, idempotency_key=old.idempotency_key)


def pruned(record: JobRecord, saved: Collection[int]) -> JobRecord:
    """Return a final job without the words of its request and of its answer.

    A video that came inside the answer stays unless it is among those `saved` (by index): it was paid for,
    and nobody else has it.
    """
    outcome = record.outcome
    if isinstance(outcome, Succeeded):
        videos = tuple([_let_go(video, saved) for video in outcome.result.videos])
        outcome = evolve(outcome, result=evolve(outcome.result, videos=videos, enhanced_prompt=None))
    if outcome is not None:
        outcome = evolve(outcome, raw=None)
    return evolve(record, request=None, outcome=outcome)


def _let_go(video: Video, saved: Collection[int]) -> Video:
    return evolve(video, sha256=None) if video.index in saved else video


def same_job(record: JobRecord, standing: JobRecord) -> JobRecord:
    """Return the job that stands under the new record's key or operation.

    Raises:
        InvalidRequestError: The key stands for another request.
    """
    if record.idempotency_key == standing.idempotency_key is not None and record.digest != standing.digest:
        raise InvalidRequestError(
            f"idempotency key {record.idempotency_key!r} already stands for another request, that of job "
            f"{standing.id}: use a new key, or the same request",
            field="idempotency_key",
            reason="key_reuse",
            job_id=standing.id,
        )
    return standing


def name_taken(record: JobRecord, operation: str | None) -> LedgerError:
    """Return the error for an operation name that another job has."""
    return LedgerError(
        f"operation {operation} of {record.provider} already belongs to another job than {record.id}",
        job_id=record.id,
        operation=operation,
    )


def no_such_job(job_id: JobId) -> LedgerError:
    """Return the error for a job that is not in the ledger."""
    return LedgerError(f"job {job_id} is not in this ledger", job_id=job_id)
