"""Vertex AI: operations by their long names, asked for by a POST that reads (protocol §2).

Submit `POST …/models/{model}:predictLongRunning`, status `POST …/models/{model}:fetchPredictOperation`. There
is no list. Without `storageUri` the videos come inside the status answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from veo_async.answers import CheckAnswer, Finished, Listed, Refused, SubmitAnswer, Unreadable
from veo_async.dialects import checks, instances, long_running, refusals, vertex_names
from veo_async.dialects.dialect import Capabilities
from veo_async.models import Media, Problem, Succeeded, VideoRequest
from veo_async.wire import MAX_INLINE_BYTES, Base64Media, Request, Response

__all__ = ["VertexDialect", "base_url_of"]

_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_DOWNLOAD_HEADERS: Final = {"Accept": "*/*"}
_BUCKET: Final = "gs://"
_MULTI_REGIONS: Final = ("us", "eu")
_TYPES: Final[Mapping[str, str]] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
}
"""MIME type by the end of an object's name: Vertex AI wants one beside every `gcsUri`."""


def base_url_of(location: str) -> str:
    """Return where Vertex AI is for a location: each has a host of its own (protocol §2).

    The hosts of "us" and "eu", which are several regions each, are as google-genai 3.4.0 has them.
    """
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _mime_type(medium: Media) -> str | None:
    return medium.mime_type or _TYPES.get((medium.uri or "").rpartition(".")[2].lower())


def _written(medium: Media, media: list[Media]) -> dict[str, str]:
    """Return what stands for a picture or a video: an object in a bucket, or bytes."""
    if medium.uri is None:
        return instances.written_bytes(medium, media)
    mime_type = _mime_type(medium)
    return {"gcsUri": medium.uri, **({} if mime_type is None else {"mimeType": mime_type})}


def _problems(request: VideoRequest) -> Iterator[Problem]:
    """Yield what Vertex AI has no place for."""
    references = ((f"reference_images[{n}]", medium) for n, medium in enumerate(request.reference_images))
    named = [("image", request.image), ("last_frame", request.last_frame), ("video", request.video)]
    for name, medium in (*named, *references):
        if isinstance(medium, Media) and medium.uri is not None:
            yield from _uri_problems(name, medium)
    if isinstance(request.storage_uri, str) and not request.storage_uri.startswith(_BUCKET):
        yield Problem(field="storage_uri", message="storage_uri is a folder in a bucket: gs://bucket/folder")


def _uri_problems(name: str, medium: Media) -> Iterator[Problem]:
    if not (medium.uri or "").startswith(_BUCKET):
        message = f"Vertex AI fetches {name} from gs:// only: give such a URI, or a path or bytes"
        yield Problem(field=name, message=message)
    elif _mime_type(medium) is None:
        message = "the type cannot be told by the name: give Media.from_uri(uri, mime_type=…)"
        yield Problem(field=name, message=message)


@frozen(kw_only=True)
class VertexDialect:
    """Vertex AI in one project and location."""

    base_url: str
    """Where submits go: origin and path prefix, without a slash at the end."""
    status_base_url: str
    """Where checks go."""
    place: vertex_names.Place
    version: str = "v1"
    rewrite_uri: Callable[[str], str] | None = None
    """Turns a video's URI into the one that its bytes are asked from; pure."""
    capabilities: Capabilities = field(default=Capabilities(inline_videos=True))

    def problems(self, request: VideoRequest, model: str) -> Sequence[Problem]:
        """Return all that forbids sending `request` to `model`; empty when it can be sent."""
        return [*checks.request_problems(request, model), *_problems(request)]

    def submit(self, request: VideoRequest, model: str, *, duration_as_string: bool = False) -> Request:
        """Encode a submit; of `extra`, "labels" and "mask" go to their own places."""
        media: list[Media] = []
        instance = instances.instance(request, media, picture=_written, video=_written)
        parameters = instances.parameters(request, as_string=duration_as_string)
        body: dict[str, Any] = {"instances": [instance], "parameters": parameters}
        for name, home in (("mask", instance), ("labels", body)):
            if name in request.extra:
                home[name] = parameters.pop(name)
        return self._post(
            f"{self.base_url}/{self.version}/{vertex_names.path_of(self.place.model(model))}",
            "predictLongRunning",
            instances.encoded(body, media),
        )

    def read_submit(self, response: Response, _: str) -> SubmitAnswer:
        """Decode the answer to a submit; names of operations are whole already."""
        return long_running.read_submit(response, vertex_names.full_name)

    def check(self, operation: str) -> Request:
        """Encode a status check of one operation: a POST that changes nothing and may be sent again."""
        model, _ = vertex_names.parts(operation)
        request = self._post(
            f"{self.status_base_url}/{self.version}/{vertex_names.path_of(model)}",
            "fetchPredictOperation",
            (json.dumps({"operationName": operation}).encode(),),
        )
        return evolve(request, max_bytes=MAX_INLINE_BYTES, cut_base64=self.capabilities.inline_videos)

    def read_check(
        self, response: Response, operation: str, request: VideoRequest | None = None, /
    ) -> CheckAnswer:
        """Decode the answer to a check of `operation`; videos that are missing were filtered."""
        answer = long_running.read_check(response, operation, vertex_names.same)
        asked = 1 if request is None else request.sample_count or 1
        return _with_missing(answer, asked) if isinstance(answer, Finished) else answer

    def list_page(self, model: str, page_token: str | None) -> Request:
        """Refuse: there is no list here.

        Raises:
            NotImplementedError: always; `can_list` is False.
        """
        raise NotImplementedError("Vertex AI lists no operations of models")

    def read_list(
        self,
        response: Response,
        model: str,
        wanted: Callable[[str], bool] | None = None,  # noqa: ARG002
    ) -> Listed | Refused | Unreadable:
        """Return that no list was asked for."""
        return refusals.unreadable(response, f"Vertex AI lists no operations of {model}")

    def operation_name(self, given: str, model: str | None) -> str:
        """Return the full name of an operation, `model` filling in what is left out.

        Raises:
            InvalidRequestError: `given` is no operation name here, needs a model, or is of another location.
        """
        return vertex_names.given_name(given, model, self.place)

    def model_of(self, operation: str) -> str:
        """Return the model that a full operation name speaks of."""
        return vertex_names.parts(operation)[1]

    def download(self, uri: str) -> Sequence[Request]:
        """Encode the request for a video's bytes; one in a bucket (gs://) is refused where it is fetched."""
        url = self.rewrite_uri(uri) if self.rewrite_uri else uri
        return [Request(method="GET", url=url, headers=_DOWNLOAD_HEADERS)]

    def _post(self, model_url: str, method: str, body: tuple[bytes | Base64Media, ...]) -> Request:
        return Request(method="POST", url=f"{model_url}:{method}", headers=_HEADERS, body=body)


def _with_missing(answer: Finished, asked: int) -> Finished:
    """Count the videos that are fewer than asked as filtered: nothing else takes them away (protocol §2)."""
    outcome = answer.outcome
    if not isinstance(outcome, Succeeded):
        return answer
    missing = max(outcome.result.filtered, asked - len(outcome.result.videos))
    return evolve(answer, outcome=evolve(outcome, result=evolve(outcome.result, filtered=missing)))
