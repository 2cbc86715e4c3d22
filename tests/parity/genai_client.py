"""Run by the parity tests with one version of google-genai on the path: what Google's own client does.

`genai_client.py send FORMAT BASE_URL` reads cases as JSON from standard input and sends each; it prints, for
each, why the client refused it, or null. `genai_client.py whole FORMAT BASE_URL FILE` generates a video,
polls, and downloads it to FILE.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
import time
import warnings
from typing import Any

# By name, since it is not there where types are checked.
genai: Any = importlib.import_module("google.genai")
types: Any = importlib.import_module("google.genai.types")

PROJECT, LOCATION, KEY = "films", "us-central1", "emulator-key"


def client_for(surface: str, base_url: str) -> Any:
    """Return a client of one format at `base_url`."""
    options = types.HttpOptions(base_url=base_url)
    if surface == "gemini":
        return genai.Client(api_key=KEY, http_options=options)
    credentials = importlib.import_module("google.oauth2.credentials").Credentials(token=KEY)
    return genai.Client(
        vertexai=True, project=PROJECT, location=LOCATION, credentials=credentials, http_options=options
    )


def image_of(medium: dict[str, str] | None) -> Any:
    """Return a picture as the client takes it."""
    if medium is None:
        return None
    content = None if "base64" not in medium else base64.b64decode(medium["base64"])
    return types.Image(gcs_uri=medium.get("uri"), image_bytes=content, mime_type=medium.get("mime_type"))


def video_of(medium: dict[str, str] | None) -> Any:
    """Return a video as the client takes it."""
    if medium is None:
        return None
    content = None if "base64" not in medium else base64.b64decode(medium["base64"])
    return types.Video(uri=medium.get("uri"), video_bytes=content, mime_type=medium.get("mime_type"))


def references_of(media: list[dict[str, str]] | None) -> Any:
    """Return reference images as the client takes them."""
    if not media:
        return None
    return [
        types.VideoGenerationReferenceImage(
            image=image_of(medium), reference_type=medium.get("reference_type", "asset").upper()
        )
        for medium in media
    ]


def send(client: Any, case: dict[str, Any]) -> str | None:
    """Send one case; return why the client would not."""
    config = types.GenerateVideosConfig(
        **case.get("config", {}),
        last_frame=image_of(case.get("last_frame")),
        reference_images=references_of(case.get("reference_images")),
    )
    source = types.GenerateVideosSource(
        prompt=case["prompt"], image=image_of(case.get("image")), video=video_of(case.get("video"))
    )
    try:
        client.models.generate_videos(model=case["model"], source=source, config=config)
    except ValueError as error:
        return str(error)
    return None


def whole(client: Any, path: str) -> str:
    """Generate, poll, download, save."""
    operation = client.models.generate_videos(
        model="veo-3.1-fast-generate-001",
        source=types.GenerateVideosSource(prompt="A paper boat crosses a puddle"),
        config=types.GenerateVideosConfig(duration_seconds=4),
    )
    deadline = time.monotonic() + 30
    while not operation.done:
        assert time.monotonic() < deadline, "never done"
        time.sleep(0.1)
        operation = client.operations.get(operation)
    video = operation.response.generated_videos[0].video
    if video.video_bytes is None:
        client.files.download(file=video)
    video.save(path)
    return str(operation.name)


def main() -> None:
    """Do what the arguments say."""
    warnings.simplefilter("ignore")
    task, surface, base_url, *rest = sys.argv[1:]
    client = client_for(surface, base_url)
    if task == "send":
        answers: object = [send(client, case) for case in json.load(sys.stdin)]
    else:
        answers = whole(client, *rest)
    sys.stdout.write(json.dumps({"version": genai.__version__, "answers": answers}) + "\n")


if __name__ == "__main__":
    main()
