"""Jobs to put into a ledger."""

import uuid
from typing import Any

from veo_async.codec import request_digest
from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Media, Outcome, Rejected, Result, Succeeded, Unknown, Video, VideoRequest

PNG = b"\x89PNG\r\n\x1a\n a paper boat"

SUCCEEDED = Succeeded(
    result=Result(videos=(Video(uri="https://videos.example/1", mime_type="video/mp4"),), filtered=1),
    raw={"done": True, "response": {"videos": [{"uri": "https://videos.example/1"}]}},
)
UNKNOWN = Unknown(message="the connection was reset", raw={"head": "HTTP/1.1 2"})
REJECTED = Rejected(reason="content", code="503", status=400, message="no", raw={"error": {"code": "503"}})


def job(prompt: str = "A paper boat", *, key: str | None = None, **facts: Any) -> JobRecord:
    """Return a queued job; further facts are those of `JobRecord`, `image` a digest for its request."""
    sha256 = facts.pop("image", None)
    image = None if sha256 is None else Media(sha256=sha256, mime_type="image/png", size=len(PNG))
    request = VideoRequest(prompt, model="veo-3.1-fast", image=image, labels={"scene": "1"}, extra={"n": 1.5})
    defaults: dict[str, Any] = {
        "id": JobId(str(uuid.uuid4())),
        "state": State.QUEUED,
        "request": request,
        "digest": request_digest(request),
        "idempotency_key": key,
        "provider": "gptproto",
        "origin": "https://gptproto.example",
        "model": "veo-3.1-fast-generate-preview",
        "cost_estimate": 1.2,
        "created_at": 1000.25,
    }
    return JobRecord(**(defaults | facts))


def move(
    record: JobRecord,
    what: Move,
    at: float = 1001.5,
    *,
    name: str | None = None,
    outcome: Outcome | None = None,
) -> Change:
    """Return a change of a job."""
    return Change(job_id=record.id, move=what, at=at, operation=name, outcome=outcome)
