"""What was accepted, by whom and how often: the other side's view of the money."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import frozen

from veo_async.emulator.jobs import Job, SurfaceName
from veo_async.emulator.models import estimate_usd


@frozen(kw_only=True)
class BillEntry:
    """One accepted operation."""

    operation: str
    """The operation's full name, as the submission was answered."""
    operation_id: str
    """What of that name identifies it: the last part, or all of it."""
    surface: SurfaceName
    """Through which surface it came."""
    model: str
    prompt: str
    key: str
    """Which key it came with: ``key-1`` is the first of the emulator's keys; never the key itself."""
    digest: str
    """SHA-256 over model and request: equal requests have equal digests."""
    occurrence: int
    """1 for the first acceptance of this request, 2 for the second, and so on."""
    state: str
    """``running``, ``succeeded``, ``filtered``, ``failed`` or ``empty``."""
    billed: Literal["yes", "no", "pending"]
    """Charged on success only; pending while it runs."""
    cost_estimate: float
    """US dollars at list price if it is billed."""
    accepted_at: float
    """Seconds of the emulator's clock."""
    request: Mapping[str, Any]
    """The body as it came, media replaced by their SHA-256."""


class Bill:
    """Every operation the service accepted, in the order of acceptance.

    It can be read from any thread, at any time, also after the emulator has stopped.
    """

    def __init__(self, jobs: Callable[[], Sequence[Job]], clock: Callable[[], float]) -> None:
        """A view on the service's jobs."""
        self._jobs = jobs
        self._clock = clock

    def __len__(self) -> int:
        return len(self._jobs())

    def __iter__(self) -> Iterator[BillEntry]:
        return iter(self.entries)

    @property
    def entries(self) -> tuple[BillEntry, ...]:
        """One entry an accepted operation."""
        now = self._clock()
        return tuple(self._entry(job, now) for job in self._jobs())

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of all accepted operations."""
        return tuple(job.ticket.operation for job in self._jobs())

    def times(self, *, prompt: str | None = None, digest: str | None = None) -> int:
        """How often a request was accepted, known by its prompt, its digest or both.

        Raises:
            ValueError: neither was given.
        """
        if prompt is None and digest is None:
            raise ValueError("say which request: prompt= or digest=")
        return sum(
            prompt in {None, job.order.prompt} and digest in {None, job.order.digest} for job in self._jobs()
        )

    @property
    def doubled(self) -> Mapping[str, int]:
        """Digests of requests that were accepted more than once, and how often."""
        counts = Counter(job.order.digest for job in self._jobs())
        return {digest: count for digest, count in counts.items() if count > 1}

    @property
    def total(self) -> float:
        """US dollars at list price of all that is billed by now; running jobs don't count yet."""
        return round(sum(entry.cost_estimate for entry in self.entries if entry.billed == "yes"), 4)

    def _entry(self, job: Job, now: float) -> BillEntry:
        billed: Literal["yes", "no"] = "yes" if job.files else "no"
        order = job.order
        return BillEntry(
            operation=job.ticket.operation,
            operation_id=job.ticket.handle,
            surface=job.ticket.surface,
            model=order.model,
            prompt=order.prompt,
            key=job.key,
            digest=order.digest,
            occurrence=job.occurrence,
            state=job.state(now),
            billed=billed if job.done(now) else "pending",
            cost_estimate=estimate_usd(order.model, order.resolution, order.billed_seconds),
            accepted_at=job.accepted_at,
            request=order.request,
        )
