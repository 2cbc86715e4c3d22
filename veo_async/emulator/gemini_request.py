"""Reads a submission in the Gemini format, as strictly as the live service does.

Refused are above all a ``durationSeconds`` that is a string, an ``image`` other than
``{bytesBase64Encoded, mimeType}``, and any parameter the service doesn't know.
"""

import re
from typing import Any, Final

from veo_async.emulator.documents import as_object, decode_base64, flag, one_of, refuse_unknown, text, whole
from veo_async.emulator.models import find_model
from veo_async.emulator.orders import Segment
from veo_async.emulator.predictions import FindFile, Grammar, Picture, Submission, read_prediction
from veo_async.emulator.refusals import RefusedError, invalid

_FILE_URI = re.compile(r"(?:^|/)files/([a-z0-9]+)(?::download)?(?:\?alt=media)?$")


def read_submission(body: bytes, name: str, version: str, find_file: FindFile) -> Submission:
    """Read the body of a submission.

    Args:
        body: the bytes as they came.
        name: the model's name in the path.
        version: the API version in the path, for error texts.
        find_file: what a file shows, by its name; raises `RefusedError` if there is none.

    Raises:
        RefusedError: something in it is not as the service wants it; the text names the field.
    """
    missing = (
        f"models/{name} is not found for API version {version}, or is not supported for predictLongRunning. "
        "Call ListModels to see the list of available models and their supported methods."
    )
    return read_prediction(body, name, find_model(name, missing), _GRAMMAR, find_file)


def _image(value: Any, name: str) -> Picture:
    image = as_object(value, name)
    refuse_unknown(image, {"bytesBase64Encoded", "mimeType"})
    encoded, kind = image.get("bytesBase64Encoded"), image.get("mimeType")
    if not isinstance(encoded, str) or not isinstance(kind, str) or not kind.startswith("image/"):
        raise invalid(f"`{name}` needs `bytesBase64Encoded` and an image's `mimeType`.")
    return Picture(content=decode_base64(encoded, f"{name}.bytesBase64Encoded"))


def _source(value: Any, find_file: FindFile) -> tuple[Segment, ...]:
    video = as_object(value, "video")
    refuse_unknown(video, {"uri"})
    uri = video.get("uri")
    match = _FILE_URI.search(uri) if isinstance(uri, str) else None
    if match is None:
        raise invalid("`video.uri` must be the URI of a video made by this service.")
    try:
        return find_file(match[1])
    except RefusedError as refused:
        raise invalid(f"`video.uri` can't be used: {refused.message}") from None


_GRAMMAR: Final = Grammar(
    top_level=frozenset({"instances", "parameters", "webhookConfig"}),
    instance=frozenset({"prompt", "image", "lastFrame", "video", "referenceImages"}),
    parameters={
        "aspectRatio": one_of("16:9", "9:16"),
        "resolution": one_of("720p", "1080p", "4k"),
        "durationSeconds": whole,
        "personGeneration": one_of("allow_all", "allow_adult", "dont_allow"),
        "negativePrompt": text,
        "sampleCount": whole,
        "enhancePrompt": flag,
        "seed": whole,
    },
    read_image=_image,
    read_source=_source,
)
