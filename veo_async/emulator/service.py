"""The service behind every surface: it accepts orders, lets them wait, and knows how each ends.

Nothing here knows HTTP or the shape of an answer. Waiting times and fates are drawn from the seed, the
order's digest and its occurrence: the same in every run, however concurrent orders interleave.
Operation ids are unlike those of any other run, since no real service hands one out twice.
"""

import base64
import binascii
import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random

import attrs
from attrs import field, frozen, validators

from veo_async.emulator.fates import Ending, fate_of
from veo_async.emulator.jobs import IssueTicket, Job, MemoryStore, Store, SurfaceName, sample_of
from veo_async.emulator.orders import ClipSpec, Order
from veo_async.emulator.rates import RateGate
from veo_async.emulator.refusals import Refusal, RefusedError, invalid, not_found
from veo_async.emulator.waiting import Waiting

POLICY_TEXT = "Input may not meet the guidelines. Please adjust and try again."
"""GPTProto's words on a refusal by the content policy."""

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 12
_ANY_MODEL = ""

_share = validators.and_(validators.ge(0.0), validators.le(1.0))


@frozen(kw_only=True)
class Terms:
    """The terms the service works on, the same for all its surfaces."""

    seed: int = 0
    waiting: Waiting
    time_scale: float = field(default=1.0, validator=validators.gt(0.0))
    """How many times faster waiting times pass."""
    submits_per_minute: float | None = None
    checks_per_second: float | None = None
    filter_share: float = field(default=0.0, validator=_share)
    failure_share: float = field(default=0.0, validator=_share)
    retention: float = field(default=172_800.0, validator=validators.ge(0.0))
    """Seconds that finished operations and files are kept; two days as at Google."""


class Service:
    """Accepts orders and keeps the jobs. Safe to use from several threads."""

    def __init__(self, terms: Terms, clock: Callable[[], float], store: Store | None = None) -> None:
        """A service that goes on with the jobs of its store, if that holds any."""
        self._terms = terms
        self._clock = clock
        self._store = store or MemoryStore()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._by_handle: dict[tuple[SurfaceName, str], str] = {}
        self._by_model: dict[tuple[SurfaceName, str], list[str]] = {}
        self._occurrences: Counter[str] = Counter()
        self._submits = RateGate("submissions per minute", terms.submits_per_minute, 60.0, clock)
        self._checks = RateGate("status requests per second", terms.checks_per_second, 1.0, clock)
        for job in self._store.load():
            self._remember(job)

    @property
    def jobs(self) -> Sequence[Job]:
        """All jobs ever accepted, in the order of acceptance."""
        return list(self._jobs.values())

    @property
    def retention(self) -> float:
        """Seconds that finished operations and files are kept."""
        return self._terms.retention

    def admit_submit(self) -> None:
        """Count one submission in, or raise `RefusedError`."""
        self._submits.admit()

    def admit_check(self) -> None:
        """Count one status request in, or raise `RefusedError`."""
        self._checks.admit()

    def accept(self, order: Order, media: Iterable[bytes], key: str, issue: IssueTicket) -> Job:
        """Take an order; the job is committed to the store when this returns.

        Args:
            order: what is wanted.
            media: the images it came with.
            key: which key it came with.
            issue: makes the ticket by which the client's surface finds the job again.

        Raises:
            RefusedError: the content policy is against it.
        """
        with self._lock:
            job = self._new_job(order, key, issue)
            if job.fate.ending is Ending.REFUSED:
                raise RefusedError(Refusal.POLICY, POLICY_TEXT)
            for content in media:
                self._store.put_media(hashlib.sha256(content).hexdigest(), content)
            self._store.add(job)
            self._remember(job)
            return job

    def _new_job(self, order: Order, key: str, issue: IssueTicket) -> Job:
        terms = self._terms
        occurrence = self._occurrences[order.digest] + 1
        random = Random(f"{terms.seed}:{order.digest}:{occurrence}")  # noqa: S311 - reproducible, not secret
        shares = {"filter_share": terms.filter_share, "failure_share": terms.failure_share}
        fate = fate_of(order.prompt, random, **shares)
        now = self._clock()
        job_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
        return Job(
            sequence=len(self._jobs) + 1,
            id=job_id,
            ticket=issue(order, job_id, now),
            order=order,
            key=key,
            occurrence=occurrence,
            accepted_at=now,
            ready_at=now + terms.waiting.draw(random) / terms.time_scale,
            fate=fate,
        )

    def _remember(self, job: Job) -> None:
        self._jobs[job.id] = job
        surface = job.ticket.surface
        self._by_handle[surface, job.ticket.handle] = job.id
        for model in (job.order.model, _ANY_MODEL):
            self._by_model.setdefault((surface, model), []).append(job.id)
        self._occurrences[job.order.digest] = job.occurrence

    def find(self, surface: SurfaceName, handle: str) -> Job:
        """The job that a surface knows by this handle.

        Raises:
            RefusedError: there is none, or its retention is over.
        """
        job_id = self._by_handle.get((surface, handle))
        if job_id is None or self._expired(self._jobs[job_id]):
            raise not_found(f"Operation {handle} was not found.")
        return self._jobs[job_id]

    def _expired(self, job: Job) -> bool:
        return self._clock() >= job.ready_at + self._terms.retention

    def job(self, job_id: str) -> Job:
        """A job by our own id, as it stands now."""
        return self._jobs[job_id]

    def page(
        self, surface: SurfaceName, model: str, size: int, token: str, *, oldest_first: bool = False
    ) -> tuple[Sequence[Job], str]:
        """Jobs of one model, newest first unless told, and the token of the next page; empty: it is the last.

        Raises:
            RefusedError: the token is none of ours.
        """
        ids = self._by_model.get((surface, model), [])
        if oldest_first:
            start = _read_token(token, len(ids)) if token else 0
            end = start + size
            jobs = [self._jobs[job_id] for job_id in ids[start:end]]
            token = _write_token(end) if end < len(ids) else ""
            return [job for job in jobs if not self._expired(job)], token
        end = _read_token(token, len(ids)) if token else len(ids)
        start = max(0, end - size)
        jobs = [self._jobs[job_id] for job_id in reversed(ids[start:end])]
        return [job for job in jobs if not self._expired(job)], _write_token(start) if start else ""

    def listed(self, surface: SurfaceName) -> Sequence[Job]:
        """All jobs of a surface that are still kept, newest first."""
        jobs = [self._jobs[job_id] for job_id in reversed(self._by_model.get((surface, _ANY_MODEL), []))]
        return [job for job in jobs if not self._expired(job)]

    def clip(self, file: str) -> ClipSpec:
        """What a file shows.

        Raises:
            RefusedError: no such file, not finished yet, or its retention is over.
        """
        job_id, sample = sample_of(file)
        job = self._jobs.get(job_id)
        if job is None or file not in job.files or not job.done(self._clock()) or self._expired(job):
            raise not_found(f"File files/{file} was not found, or its retention is over.")
        return job.clip(sample)

    def media(self, digest: str) -> bytes:
        """Media an order came with, by SHA-256."""
        with self._lock:
            return self._store.media(digest)

    def now(self) -> float:
        """The time the service goes by, seconds."""
        return self._clock()

    def finish_all(self) -> int:
        """End the waiting of all running jobs but the endless ones; returns how many that were."""
        with self._lock:
            now = self._clock()
            running = [attrs.evolve(job, ready_at=now) for job in self._jobs.values() if not job.done(now)]
            self._store.move(running)
            self._jobs.update((job.id, job) for job in running)
            return sum(job.done(now) for job in running)

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._store.close()


def _write_token(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def _read_token(token: str, most: int) -> int:
    try:
        place = int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        place = -1
    if not 0 < place <= most:
        raise invalid("The page token is invalid.")
    return place
