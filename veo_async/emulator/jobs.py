"""A job the service accepted, and where it is kept."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from attrs import asdict, evolve, frozen

from veo_async.emulator.fates import Ending, Fate
from veo_async.emulator.models import frame_size
from veo_async.emulator.orders import ClipSpec, Order, Segment
from veo_async.emulator.wal import use_wal

SurfaceName: TypeAlias = Literal["gemini", "vertex", "gptproto_v3", "unified", "openai_videos"]

_SAMPLE_LETTERS = "abcd"
_NEARLY = 0.99


@frozen(kw_only=True)
class Ticket:
    """What a client is given to ask for its job by, and through which surface."""

    surface: SurfaceName
    handle: str
    """By this the surface finds the job again."""
    operation: str
    """The operation's name as the submission was answered; the handle is in it."""


IssueTicket: TypeAlias = Callable[[Order, str, float], Ticket]
"""Makes a job's ticket from its order, its id and the time of acceptance."""


@frozen(kw_only=True)
class Job:
    """An accepted order: from here on it is worked on, and billed if it succeeds."""

    sequence: int
    """Place in the order of acceptance, from 1."""
    id: str
    """Ours; a client sees the ticket's handle instead, which may be another."""
    ticket: Ticket
    order: Order
    key: str
    """Which key it came with: ``key-1`` is the first, and so on; never the key itself."""
    occurrence: int
    """How often the same order had been accepted, this time included."""
    accepted_at: float
    """Seconds of the emulator's clock."""
    ready_at: float
    """Seconds of the emulator's clock."""
    fate: Fate

    def done(self, now: float) -> bool:
        """Whether its waiting time is over at this time."""
        return now >= self.ready_at and self.fate.ending is not Ending.ENDLESS

    def progress(self, now: float) -> float:
        """The share of its waiting time that is over, 0 to 1; 1 only when it is done."""
        if self.done(now):
            return 1.0
        span = self.ready_at - self.accepted_at
        share = (now - self.accepted_at) / span if span > 0 else 1.0
        return max(0.0, min(share, _NEARLY))

    def state(self, now: float) -> str:
        """``running``, or how it ended: ``succeeded``, ``filtered``, ``failed`` or ``empty``."""
        return self.fate.ending.value if self.done(now) else "running"

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files it leaves, one a sample that passed."""
        asked = self.order.samples
        passed = asked if self.fate.ending is Ending.SUCCEEDED else min(self.fate.kept, asked - 1)
        return tuple(self.id + letter for letter in _SAMPLE_LETTERS[:passed])

    def clip(self, sample: int) -> ClipSpec:
        """The clip of one sample, counted from 0; of 720p where enlarging it failed."""
        spec = self.order.clip(sample)
        if self.fate.upsampled or not self.order.upsampling:
            return spec
        width, height = frame_size("720p", "16:9" if spec.width > spec.height else "9:16")
        return evolve(spec, width=width, height=height)


def sample_of(file: str) -> tuple[str, int]:
    """The job's id and the sample's place, from a file's name; place -1 if it can't be one of ours."""
    return file[:-1], _SAMPLE_LETTERS.find(file[-1:])


class Store(Protocol):
    """Where jobs and the media they were ordered with outlive the process, or don't."""

    def load(self) -> Iterable[Job]:
        """All jobs kept so far, in the order of acceptance."""
        ...

    def add(self, job: Job) -> None:
        """Keep a job; it is committed when this returns."""
        ...

    def move(self, jobs: Iterable[Job]) -> None:
        """Keep the new ready times of these jobs."""
        ...

    def put_media(self, digest: str, content: bytes) -> None:
        """Keep media under their SHA-256."""
        ...

    def media(self, digest: str) -> bytes:
        """Media kept under this SHA-256."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class MemoryStore:
    """Keeps nothing but media, and those until the process ends."""

    def __init__(self) -> None:
        self._media: dict[str, bytes] = {}

    def load(self) -> Iterable[Job]:
        """No jobs: nothing outlives the process."""
        return ()

    def add(self, job: Job) -> None:
        """Nothing to do: the service holds the job."""

    def move(self, jobs: Iterable[Job]) -> None:
        """Nothing to do: the service holds the jobs."""

    def put_media(self, digest: str, content: bytes) -> None:
        """Keep media under their SHA-256."""
        self._media[digest] = content

    def media(self, digest: str) -> bytes:
        """Media kept under this SHA-256."""
        return self._media[digest]

    def close(self) -> None:
        """Nothing is held open."""


class SQLiteStore:
    """Keeps jobs and media in a SQLite file.

    A commit survives the end of the process, however sudden; not a loss of power, since waiting for the disk
    on every job would slow the emulator down and no money is at stake here.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The service calls under its own lock, from the loop's thread and from the render thread.
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        use_wal(self._db)
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jobs"
            " (sequence INTEGER PRIMARY KEY, id TEXT UNIQUE, ready_at REAL, document TEXT)"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS media (digest TEXT PRIMARY KEY, content BLOB)")

    def load(self) -> Iterable[Job]:
        """All jobs kept so far, in the order of acceptance."""
        rows = self._db.execute("SELECT document, ready_at FROM jobs ORDER BY sequence").fetchall()
        return [_from_document(json.loads(document), ready_at) for document, ready_at in rows]

    def add(self, job: Job) -> None:
        """Keep a job; it is committed when this returns."""
        row = (job.sequence, job.id, job.ready_at, json.dumps(asdict(job)))
        self._db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", row)

    def move(self, jobs: Iterable[Job]) -> None:
        """Keep the new ready times of these jobs."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE jobs SET ready_at = ? WHERE sequence = ?", [(job.ready_at, job.sequence) for job in jobs]
        )
        self._db.execute("COMMIT")

    def put_media(self, digest: str, content: bytes) -> None:
        """Keep media under their SHA-256."""
        self._db.execute("INSERT OR IGNORE INTO media VALUES (?, ?)", (digest, content))

    def media(self, digest: str) -> bytes:
        """Media kept under this SHA-256."""
        row = self._db.execute("SELECT content FROM media WHERE digest = ?", (digest,)).fetchone()
        return bytes(row[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _from_document(document: dict[str, Any], ready_at: float) -> Job:
    order = document.pop("order")
    fate = document.pop("fate")
    ticket = Ticket(**document.pop("ticket"))
    segments = tuple(Segment(**segment) for segment in order.pop("segments"))
    document["ready_at"] = ready_at
    return Job(
        **document,
        ticket=ticket,
        order=Order(**order, segments=segments),
        fate=Fate(**(fate | {"ending": Ending(fate["ending"])})),
    )
