"""The Gemini format: Google's own, GPTProto's (seeds 001 and 003), and what compatible gateways speak.

Submit `POST …/models/{model}:predictLongRunning`, status `GET …/models/{model}/operations/{id}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import quote

from attrs import frozen

from veo_async.answers import (
    CheckAnswer,
    Empty,
    Finished,
    Listed,
    Refused,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.dialects import (
    checks,
    fields,
    hints,
    instances,
    long_running,
    operation_names,
    operations,
    refusals,
)
from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.shape import Shape
from veo_async.errors import ProtocolError
from veo_async.models import Media, Problem, VideoRequest
from veo_async.wire import MAX_INLINE_BYTES, Request, Response

__all__ = ["SHAPE", "GeminiDialect", "gateway_uri"]

PAGE_SIZE: Final = 1000
"""Operations asked for in one page of a list: finished ones stand between those that run, so a page that goes
further back finds more of those for the same request. Reading so many takes 10 ms, most of it the JSON."""
_MAX_PAGE_BYTES: Final = PAGE_SIZE * 4096
"""A finished one has up to four links, each with a signature of several hundred bytes."""

_WEBHOOK: Final = "webhookConfig"
_READ_HEADERS: Final = {"Accept": "application/json"}
_SUBMIT_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_DOWNLOAD_HEADERS: Final = {"Accept": "*/*"}

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]+")
_FILE: Final = re.compile(
    r"/(?:upload/|download/)?v[0-9][a-z0-9]*/files/([A-Za-z0-9_-][A-Za-z0-9._~-]{0,254})(?::download)?(?:\?|$)"
)
_GOOGLE: Final = re.compile(r"https://generativelanguage\.googleapis\.com(?::443)?(?=/)", re.IGNORECASE)


def gateway_uri(uri: str, base_url: str, version: str = "v1beta") -> str:
    """Return where a gateway at `base_url` hands out the file that `uri` names at Google's host.

    Seed 001's gateway answers Google's URI, which its key cannot open; seed 003 says to ask the gateway for
    `files/{id}:download`. Any other URI is returned as it is.
    """
    google = _GOOGLE.match(uri)
    found = google and _FILE.match(uri, google.end())
    return f"{base_url}/{version}/files/{found[1]}:download?alt=media" if found else uri


def _segment(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")  # it takes four times as long


@lru_cache(maxsize=64)  # few models, and a URL for each status check
def _models(base_url: str, version: str, model: str) -> str:
    return f"{base_url}/{version}/models/{_segment(model)}"


@frozen(kw_only=True)
class GeminiDialect:
    """The Gemini format at one service."""

    base_url: str
    """Where submits go: origin and path prefix, without a slash at the end."""
    status_base_url: str
    """Where checks go."""
    version: str = "v1beta"
    rewrite_uri: Callable[[str], str] | None = None
    """Turns a video's URI into the one that its bytes are asked from; pure."""
    duration_as_string: bool = False
    """Write `durationSeconds` as seed 003's table does; the live API wants a number."""
    can_list: bool = False
    """It answers lists, which no gateway is known to do."""

    @property
    def capabilities(self) -> Capabilities:
        """What this surface can do; where it is, its provider adds."""
        return Capabilities(
            can_list=self.can_list,
            webhook=True,
            inline_videos=True,
            duration_as_string=self.duration_as_string,
        )

    def problems(self, request: VideoRequest, model: str) -> Sequence[Problem]:
        """Return all that forbids sending `request` to `model`; empty when it can be sent."""
        return [
            *checks.request_problems(request, model),
            *instances.problems(request),
            *instances.unknown_fields(request, {"generate_audio": "true", "storage_uri": '"gs://…"'}),
        ]

    def submit(self, request: VideoRequest, model: str, *, duration_as_string: bool = False) -> Request:
        """Encode a submit; pictures are bytes, a video is a URI, and a webhook has a place of its own."""
        media: list[Media] = []
        instance = instances.instance(request, media)
        parameters = instances.parameters(request, as_string=duration_as_string or self.duration_as_string)
        body: dict[str, Any] = {"instances": [instance], "parameters": parameters}
        if _WEBHOOK in parameters:
            body[_WEBHOOK] = parameters.pop(_WEBHOOK)
        return Request(
            method="POST",
            url=f"{_models(self.base_url, self.version, model)}:predictLongRunning",
            headers=_SUBMIT_HEADERS,
            body=instances.encoded(body, media),
        )

    def read_submit(self, response: Response, model: str) -> SubmitAnswer:
        """Decode the answer to a submit to `model`."""
        return long_running.read_submit(response, lambda name: operation_names.full_name(name, model))

    def check(self, operation: str) -> Request:
        """Encode a status check of one operation, given by its full name."""
        model, operation_id = operation_names.parts(operation)
        url = f"{_models(self.status_base_url, self.version, model)}/operations/{_segment(operation_id)}"
        return Request(
            method="GET", url=url, headers=_READ_HEADERS, max_bytes=MAX_INLINE_BYTES, cut_base64=True
        )

    def read_check(self, response: Response, operation: str, _: VideoRequest | None = None, /) -> CheckAnswer:
        """Decode the answer to a check of `operation`."""
        return long_running.read_check(response, operation, operation_names.same)

    def list_page(self, model: str, page_token: str | None) -> Request:
        """Encode a request for a page of the operations of `model`."""
        url = f"{_models(self.status_base_url, self.version, model)}/operations?pageSize={PAGE_SIZE}"
        if page_token is not None:
            url += f"&pageToken={_segment(page_token)}"
        return Request(method="GET", url=url, headers=_READ_HEADERS, max_bytes=_MAX_PAGE_BYTES)

    def read_list(
        self, response: Response, model: str, wanted: Callable[[str], bool] | None = None
    ) -> Listed | Refused | Unreadable:
        """Decode a page of operations; an entry that cannot be read is left out, so it is asked for alone."""
        body = refusals.read_body(response)
        if isinstance(body, Refused | Unreadable):
            return body
        try:
            return long_running.refused_in(body, response) or _listed(body, model, response, wanted)
        except ProtocolError as error:
            return refusals.unreadable(response, error.message, error.path)

    def operation_name(self, given: str, model: str | None) -> str:
        """Return the full name of an operation, `model` filling in what is left out.

        Raises:
            InvalidRequestError: `given` is no operation name here, or needs a model.
        """
        return operation_names.given_name(given, model)

    def model_of(self, operation: str) -> str:
        """Return the model that a full operation name speaks of."""
        return operation_names.parts(operation)[0]

    def download(self, uri: str) -> Sequence[Request]:
        """Encode the requests for a video's bytes, to be tried in order while they answer 404."""
        first = self.rewrite_uri(uri) if self.rewrite_uri else uri
        return [
            Request(method="GET", url=url, headers=_DOWNLOAD_HEADERS)
            for url in dict.fromkeys((first, *self._upload_uri(first)))
        ]

    def _upload_uri(self, uri: str) -> Iterator[str]:
        """Yield the place where GPTProto's pages show files as well, for a file at this service."""
        for base in (self.base_url, self.status_base_url):
            found = _FILE.match(uri, len(base)) if uri.startswith(f"{base}/") else None
            if found:
                yield f"{base}/upload/{self.version}/files/{found[1]}:download?alt=media"


def _listed(body: JsonObject, model: str, response: Response, wanted: Callable[[str], bool] | None) -> Listed:
    answers: dict[str, Running | Finished | Empty | Refused] = {}
    created_at: dict[str, float] = {}
    names = operation_names.full_names(model)
    for entry in fields.objects(body, "operations", "$"):
        given = entry.get("name")
        if not isinstance(given, str):
            continue
        try:
            name = names[given]
            if wanted is None:
                instant = operations.created_at(entry)
                if instant is not None:
                    created_at[name] = instant
            elif entry.get("done") is True and not wanted(name):
                continue  # most of a page are: to read them all would stop the loop for 30 ms
            answers[name] = operations.read_operation(entry)
        except ProtocolError:
            continue
    return Listed(
        answers=answers,
        created_at=created_at,
        answered_at=hints.answered_at(response.headers),
        next_page_token=fields.text(body, "nextPageToken", "$") or None,
    )


def _made(
    *,
    base_url: str,
    rewrite_uri: Callable[[str], str] | None,
    version: str = "v1beta",
    **parts: Any,
) -> GeminiDialect:
    """Return the dialect of a gateway: its key opens no files at Google's host."""
    own = partial(gateway_uri, base_url=base_url, version=version)
    return GeminiDialect(base_url=base_url, version=version, rewrite_uri=rewrite_uri or own, **parts)


SHAPE: Final = Shape(
    name="gemini",
    dialect=_made,
    key_header="x-goog-api-key",  # never ?key=, it lands in logs
    key_prefix="",
    version="v1beta",
    family="gemini",
    options={"version": str, "duration_as_string": bool, "can_list": bool},
)
