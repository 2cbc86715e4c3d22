"""Reads a submission to Vertex AI, whose media may lie in a bucket and which takes more parameters."""

import re
from typing import Any, Final

from attrs import evolve

from veo_async.emulator.documents import (
    Object,
    as_object,
    check_values,
    decode_base64,
    digest_of,
    flag,
    one_of,
    refuse_unknown,
    text,
    whole,
)
from veo_async.emulator.models import find_model
from veo_async.emulator.orders import Segment
from veo_async.emulator.predictions import FindFile, Grammar, Picture, Submission, read_prediction
from veo_async.emulator.refusals import RefusedError, invalid

_MOST_SAMPLES: Final = 4
_FOREIGN = (Segment(prompt="A video from elsewhere", seconds=8),)
"""What a video shows that isn't ours: nothing is fetched from buckets, so its length is a guess."""
_OBJECT_NAME = re.compile(r"/([a-z0-9]+)\.mp4$")


def read_vertex_submission(body: bytes, name: str, path: str, find_file: FindFile) -> Submission:
    """Read the body of a submission.

    Args:
        body: the bytes as they came.
        name: the model's name in the path.
        path: the model's whole resource name, for error texts.
        find_file: what a file shows, by its name; raises `RefusedError` if there is none.

    Raises:
        RefusedError: something in it is not as the service wants it; the text names the field.
    """
    missing = f"Publisher Model `{path}` was not found or your project does not have access to it."
    submission = read_prediction(body, name, find_model(name, missing), _GRAMMAR, find_file)
    order = submission.order
    # The same body at another project, or in the Gemini format, is another request.
    return evolve(submission, order=evolve(order, digest=digest_of(path, order.request)))


def _check_rest(document: Object, instance: Object) -> None:
    labels = as_object(document.get("labels", {}), "labels")
    check_values(labels, dict.fromkeys(labels, text))
    if "mask" not in instance:
        return
    mask = as_object(instance["mask"], "mask")
    _media({name: value for name, value in mask.items() if name != "maskMode"}, "mask", "")
    if "video" not in instance and "image" not in instance:
        raise invalid("`mask` needs `video` or `image`.")


def _media(value: Any, name: str, kind: str) -> bytes | None:
    """The bytes of media, None for those in a bucket; exactly one of the two has to be given."""
    media = as_object(value, name)
    refuse_unknown(media, {"bytesBase64Encoded", "gcsUri", "mimeType"})
    mime, encoded, uri = media.get("mimeType"), media.get("bytesBase64Encoded"), media.get("gcsUri")
    if not isinstance(mime, str) or not mime.startswith(kind):
        raise invalid(f"`{name}` needs a `mimeType` that begins with `{kind}`.")
    if (encoded is None) == (uri is None):
        raise invalid(f"`{name}` needs either `bytesBase64Encoded` or `gcsUri`.")
    if encoded is None:
        check_values({f"{name}.gcsUri": uri}, {f"{name}.gcsUri": _bucket})
        return None
    if not isinstance(encoded, str):
        raise invalid(f"The value type for `{name}.bytesBase64Encoded` needs to be a string.")
    return decode_base64(encoded, f"{name}.bytesBase64Encoded")


def _bucket(value: Any) -> str | None:
    fine = isinstance(value, str) and value.startswith("gs://")
    return None if fine else "of {} needs to be a Cloud Storage URI that begins with gs://."


def _image(value: Any, name: str) -> Picture:
    return Picture(content=_media(value, name, "image/"))


def _source(value: Any, find_file: FindFile) -> tuple[Segment, ...]:
    _media(value, "video", "video/")
    match = _OBJECT_NAME.search(value.get("gcsUri", ""))
    if match is None:
        return _FOREIGN
    try:
        return find_file(match[1])
    except RefusedError:
        return _FOREIGN


_GRAMMAR: Final = Grammar(
    top_level=frozenset({"instances", "parameters", "labels"}),
    instance=frozenset({"prompt", "image", "lastFrame", "video", "referenceImages", "mask"}),
    parameters={
        "aspectRatio": one_of("16:9", "9:16"),
        "compressionQuality": one_of("optimized", "lossless"),
        "durationSeconds": whole,
        "enhancePrompt": flag,
        "fps": whole,
        "generateAudio": flag,
        "negativePrompt": text,
        "personGeneration": one_of("allow_all", "allow_adult", "dont_allow"),
        "pubsubTopic": text,
        "resizeMode": one_of("crop", "pad"),
        "resolution": one_of("720p", "1080p", "4k"),
        "sampleCount": whole,
        "seed": whole,
        "storageUri": _bucket,
    },
    read_image=_image,
    read_source=_source,
    check_rest=_check_rest,
    reference_types=("asset", "style"),
    most_samples=_MOST_SAMPLES,
    large_needs_full_length=False,
)
