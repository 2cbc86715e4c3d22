"""Answers that almost are what a gateway documents: whatever comes, a dialect returns one of its answers.

Each test takes 300 examples; `pytest --hypothesis-profile=campaign` takes 20,000.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st

from veo_async.answers import Accepted, Empty, Finished, Listed, Missing, Refused, Running, Unreadable
from veo_async.dialects.dialect import Dialect
from veo_async.models import VideoRequest
from veo_async.wire import Request, Response

TASK = "veo3.1-fast:1760545785-euexscdeL8"
FUZZ = settings(max_examples=max(300, settings().max_examples), deadline=None)

_KEYS = (
    *("id", "task_id", "status", "code", "message", "msg", "type", "data", "result", "error", "detail"),
    *("outputs", "video_url", "thumbnail_url", "enhanced_prompt", "status_update_time", "progress"),
    *("fail_reason", "object", "has_more", "last_id", "urls"),
)
_LEAVES = st.sampled_from(
    [
        *(None, True, False, 0, 1, 45, 200, 401, 503, -1, 0.5, 1e300, 10**30),
        *("", "success", "SUCCESS ", "completed", "failed", "error", "processing", "NOT_START", "401", "45%"),
        *("nan", "inf%", TASK, "other", "../x", "https://h/a.mp4", "é", "x" * 600, "content policy"),
        *("video_generation_completed", "video_upsampling_completed", "video_upsampling_failed"),
    ]
)
_NEAR = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=25,
)
DOCUMENTS = st.dictionaries(st.sampled_from(_KEYS), _NEAR, max_size=6) | _NEAR
STATUSES = st.just(200) | st.sampled_from([204, 302, 400, 401, 404, 410, 429, 500, 503]) | st.integers(0, 999)
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date", "location"]), st.text(max_size=20))
REQUESTS = st.sampled_from(
    [None, VideoRequest("a"), VideoRequest("a", resolution="1080p", extra={"enable_upsample": 1})]
)

_SUBMIT_ANSWERS = Accepted | Refused | Unreadable
_CHECK_ANSWERS = Running | Finished | Empty | Missing | Refused | Unreadable
_LIST_ANSWERS = Listed | Refused | Unreadable


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer; bytes go as they are, all else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=headers or {}, body=data)


def body_of(request: Request, fill: str = "QUJD") -> dict[str, object]:
    """Return the body as the server reads it, `fill` in the place of each picture."""
    parts = (part if isinstance(part, bytes) else fill.encode() for part in request.body)
    body: dict[str, object] = json.loads(b"".join(parts))
    return body


def assert_closed(dialect: Dialect, response: Response, request: VideoRequest | None = None) -> None:
    """Every reader returns one of its answers; what is accepted can be checked; nothing is raised."""
    submitted = dialect.read_submit(response, "veo3.1")
    assert isinstance(submitted, _SUBMIT_ANSWERS)
    if isinstance(submitted, Accepted):
        assert dialect.check(submitted.operation).url.isascii()
    assert isinstance(dialect.read_check(response, TASK, request), _CHECK_ANSWERS)
    assert isinstance(dialect.read_list(response, "veo3.1"), _LIST_ANSWERS)
