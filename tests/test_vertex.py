"""Vertex AI: what is written, and what answers are read as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from veo_async.answers import Accepted, Empty, Finished, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.vertex import VertexDialect, base_url_of
from veo_async.dialects.vertex_names import Place
from veo_async.errors import InvalidRequestError
from veo_async.models import Failed, Filtered, Media, Succeeded, VideoRequest
from veo_async.wire import MAX_INLINE_BYTES, Base64Media, Part, Request, Response

MODEL = "veo-3.1-fast-generate-001"
BASE = "https://us-central1-aiplatform.googleapis.com"
RESOURCE = f"projects/films/locations/us-central1/publishers/google/models/{MODEL}"
OPERATION = f"{RESOURCE}/operations/3f2a-77"
HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
PICTURE = Media(sha256="0" * 64, size=5, mime_type="image/png")
CLIP = Media(sha256="1" * 64, size=7, mime_type="video/mp4")
STORED = Media.from_uri("gs://bucket/boat.PNG")

dialect: Dialect = VertexDialect(base_url=BASE, status_base_url=BASE, place=Place("films", "us-central1"))


def body_of(request: VideoRequest, **options: bool) -> Any:
    parts = dialect.submit(request, MODEL, **options).body
    return json.loads(b"".join(part if isinstance(part, bytes) else b"" for part in parts))


def response(body: object, status: int = 200, parts: Mapping[str, Part] | None = None) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers={}, body=data, parts=parts or {})


def checked(answer: Mapping[str, object], request: VideoRequest | None = None) -> Any:
    """What a finished operation with this response is read as."""
    body = {"name": OPERATION, "done": True, "response": answer}
    return dialect.read_check(response(body), OPERATION, request)


# Places and names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_location_has_a_host(location: str, host: str) -> None:
    """Protocol §2; those of several regions as in google-genai 3.4.0."""
    assert base_url_of(location) == f"https://{host}"


def test_models_of_other_publishers_and_with_versions() -> None:
    """A name is escaped in the path, and says whose it is if it is not Google's."""
    url = dialect.submit(VideoRequest("a"), "veo@default").url
    assert url == f"{BASE}/v1/{RESOURCE.replace(MODEL, 'veo%40default')}:predictLongRunning"
    url = dialect.submit(VideoRequest("a"), "publishers/acme/models/m").url
    assert url.endswith("/locations/us-central1/publishers/acme/models/m:predictLongRunning")


def test_names_that_somebody_gives() -> None:
    """A full name, or an id with a model; another location has another host."""
    assert dialect.operation_name(OPERATION, None) == OPERATION
    assert dialect.operation_name("3f2a-77", MODEL) == OPERATION
    assert dialect.model_of(OPERATION) == MODEL
    for given_name, model in (
        ("3f2a-77", None),
        ("operations/1", MODEL),
        (OPERATION + "/x", None),
        (OPERATION.replace("us-central1", "europe-west4"), None),
        (OPERATION.replace("films", "../films"), None),
        ("", MODEL),
    ):
        with pytest.raises(InvalidRequestError):
            dialect.operation_name(given_name, model)


# Submits --------------------------------------------------------------------------------------------------


def test_the_smallest_submit() -> None:
    """A prompt alone; labels and keys of ours are not sent."""
    assert dialect.submit(VideoRequest("a boat", labels={"who": "me"}), MODEL) == Request(
        method="POST",
        url=f"{BASE}/v1/{RESOURCE}:predictLongRunning",
        headers=HEADERS,
        body=(b'{"instances": [{"prompt": "a boat"}], "parameters": {}}',),
    )


def test_all_parameters_and_the_places_of_extra() -> None:
    """Labels of Vertex AI stand at the top and a mask in the instance, and only if `extra` has them."""
    mask = {"gcsUri": "gs://b/m.png", "mimeType": "image/png", "maskMode": "insert"}
    request = VideoRequest(
        "a",
        aspect_ratio="9:16",
        duration_seconds="8",
        negative_prompt="rain",
        person_generation="allow_adult",
        enhance_prompt=False,
        seed=0,
        sample_count=4,
        generate_audio=True,
        storage_uri="gs://b/f",
        extra={"compressionQuality": "lossless", "labels": {"team": "films"}, "mask": mask},
    )
    assert body_of(request) == {
        "instances": [{"prompt": "a", "mask": mask}],
        "parameters": {
            "aspectRatio": "9:16",
            "durationSeconds": 8,
            "negativePrompt": "rain",
            "personGeneration": "allow_adult",
            "enhancePrompt": False,
            "seed": 0,
            "sampleCount": 4,
            "generateAudio": True,
            "storageUri": "gs://b/f",
            "compressionQuality": "lossless",
        },
        "labels": {"team": "films"},
    }
    assert request.extra["mask"] == mask


def test_media_are_bytes_or_objects_in_a_bucket() -> None:
    """Each with its type, which an object's name tells."""
    request = VideoRequest("a", image=PICTURE, last_frame=STORED)
    assert body_of(request)["instances"] == [
        {
            "prompt": "a",
            "image": {"bytesBase64Encoded": "", "mimeType": "image/png"},
            "lastFrame": {"gcsUri": "gs://bucket/boat.PNG", "mimeType": "image/png"},
        }
    ]
    parts = dialect.submit(VideoRequest("a", video=CLIP), MODEL).body
    assert parts[1] == Base64Media(CLIP)
    style = Media.from_uri("gs://bucket/a", mime_type="image/webp", reference_type="style")
    assert body_of(VideoRequest("a", reference_images=[PICTURE, style]))["instances"][0][
        "referenceImages"
    ] == [
        {"image": {"bytesBase64Encoded": "", "mimeType": "image/png"}, "referenceType": "asset"},
        {"image": {"gcsUri": "gs://bucket/a", "mimeType": "image/webp"}, "referenceType": "style"},
    ]


def test_what_has_no_place_is_refused_before_it_is_sent() -> None:
    """Media elsewhere than in a bucket, media of no known type, a folder elsewhere."""
    request = VideoRequest(
        "a",
        image="https://example.com/a.png",
        video="gs://bucket/clip",
        storage_uri="https://example.com/",
    )
    fields = [problem.field for problem in dialect.problems(request, "veo-2.0-generate-001")]
    assert fields == ["image", "video", "storage_uri"]
    assert not dialect.problems(VideoRequest("a", image=STORED, sample_count=4), MODEL)


def test_the_answer_to_a_submit() -> None:
    """A whole name is taken; anything else is no readable answer."""
    accepted = dialect.read_submit(response({"name": OPERATION}), MODEL)
    assert isinstance(accepted, Accepted)
    assert accepted.operation == OPERATION
    for name in (None, "", "operations/1", 7, OPERATION + "\n", f"x/{OPERATION}"):
        assert isinstance(dialect.read_submit(response({"name": name}), MODEL), Unreadable)


def test_refusals_of_a_submit() -> None:
    """By the rules that hold everywhere."""
    for code, status, message, kind in (
        (400, "INVALID_ARGUMENT", "violate the Responsible AI practices", RefusalKind.CONTENT),
        (401, "UNAUTHENTICATED", "expired", RefusalKind.AUTHENTICATION),
        (403, "PERMISSION_DENIED", "no", RefusalKind.AUTHENTICATION),
        (404, "NOT_FOUND", "Publisher Model was not found", RefusalKind.NOT_FOUND),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded", RefusalKind.RATE_LIMIT),
    ):
        body = {"error": {"code": code, "status": status, "message": message}}
        refused = dialect.read_submit(response(body, code), MODEL)
        assert isinstance(refused, Refused)
        assert refused.kind is kind


# Checks ---------------------------------------------------------------------------------------------------


def test_a_check_is_a_post_that_reads() -> None:
    """At the place that the operation's own name tells, whatever the provider's."""
    foreign = OPERATION.replace("films", "12345")
    assert dialect.check(foreign) == Request(
        method="POST",
        url=f"{BASE}/v1/{RESOURCE.replace('films', '12345')}:fetchPredictOperation",
        headers=HEADERS,
        body=(json.dumps({"operationName": foreign}).encode(),),
        max_bytes=MAX_INLINE_BYTES,
        cut_base64=True,
    )
    with pytest.raises(InvalidRequestError):
        dialect.check("models/m/operations/1")


def test_running_done_and_gone() -> None:
    """Also when the project is named by its number."""
    assert dialect.read_check(response({"name": OPERATION}), OPERATION) == Running()
    numbered = OPERATION.replace("films", "12345")
    assert dialect.read_check(response({"name": numbered}), OPERATION) == Running()
    assert isinstance(dialect.read_check(response({"name": OPERATION + "8"}), OPERATION), Unreadable)
    assert isinstance(dialect.read_check(response({}, 404), OPERATION), Missing)
    assert isinstance(checked({}), Empty)
    failed = {"name": OPERATION, "done": True, "error": {"code": 13, "message": "internal"}}
    answer = dialect.read_check(response(failed), OPERATION)
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Failed)


def test_videos_in_a_bucket_and_missing_ones() -> None:
    """Fewer than asked: the rest was filtered, whether it is said or not."""
    videos = [{"gcsUri": "gs://b/1.mp4", "mimeType": "video/mp4"}]
    outcome = checked({"videos": videos}, VideoRequest("a", sample_count=3)).outcome
    assert isinstance(outcome, Succeeded)
    assert (outcome.result.filtered, outcome.result.videos[0].uri) == (2, "gs://b/1.mp4")
    assert checked({"videos": videos}).outcome.result.filtered == 0
    assert checked({"videos": videos, "raiMediaFilteredCount": 1}).outcome.result.filtered == 1
    held = checked({"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Support codes: 29310472"]})
    assert isinstance(held.outcome, Filtered)
    assert held.outcome.categories == ("celebrity",)


def test_videos_inside_the_answer() -> None:
    """A short one is decoded; a long one was cut out and is known by its digest."""
    parts = {"<cut-1>": Part(sha256="a" * 64, size=3), "<cut-2>": Part(sha256="", size=0)}

    def read(*texts: str) -> Any:
        videos = [{"bytesBase64Encoded": text, "mimeType": "video/mp4"} for text in texts]
        body = {"name": OPERATION, "done": True, "response": {"videos": videos}}
        return dialect.read_check(response(body, parts=parts), OPERATION)

    first, second = read("AAAA", "<cut-1>").outcome.result.videos
    assert (first.data, first.sha256, first.index) == (b"\0\0\0", None, 0)
    assert (second.data, second.sha256, second.index) == (None, "a" * 64, 1)
    for text in ("<cut-2>", "<cut-3>", "AAA"):
        answer = read(text)
        assert isinstance(answer, Unreadable)
        assert answer.path == "$.response.videos[0].bytesBase64Encoded"
        assert answer.message == f"{answer.path} is not base64"


def test_there_is_no_list() -> None:
    """It is never asked for."""
    assert not dialect.capabilities.can_list
    with pytest.raises(NotImplementedError):
        dialect.list_page(MODEL, None)
    assert isinstance(dialect.read_list(response({}), MODEL), Unreadable)
