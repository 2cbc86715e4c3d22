"""Combinations of inputs, the same for Google's client and for ours."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

from veo_async.models import Media, VideoRequest

__all__ = ["cases", "request_of"]

_MODELS = ("veo-3.1-generate-001", "veo-3.1-fast-generate-preview", "veo-2.0-generate-001", "veo-9-new")
_PROMPTS = ("A boat", 'With "quotes", é, 漢字 and \\ in it', "Two\nlines\tand a 🚤", " spaced ")
_CHOICES: dict[str, tuple[Any, ...]] = {
    "aspect_ratio": ("16:9", "9:16"),
    "resolution": ("720p", "1080p", "4k"),
    "duration_seconds": (4, 6, 8),
    "negative_prompt": ("rain", "é\n"),
    "person_generation": ("allow_all", "allow_adult", "dont_allow"),
    "enhance_prompt": (True, False),
    "number_of_videos": (1, 2, 4),
}
_VERTEX_CHOICES: dict[str, tuple[Any, ...]] = {
    "seed": (0, 7, 4294967295),
    "generate_audio": (True, False),
    "output_gcs_uri": ("gs://bucket/folder", "gs://bucket/folder/"),
    "fps": (24,),
    "compression_quality": ("OPTIMIZED", "LOSSLESS"),
    "resize_mode": ("CROP", "PAD"),
    "pubsub_topic": ("projects/films/topics/done",),
    "labels": ({"team": "films"}, {"a": "b", "c": "d"}),
}
_OURS = {"number_of_videos": "sample_count", "output_gcs_uri": "storage_uri"}
_EXTRA = {
    "fps": "fps",
    "compression_quality": "compressionQuality",
    "resize_mode": "resizeMode",
    "pubsub_topic": "pubsubTopic",
    "labels": "labels",
}


def cases(surface: str, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return `count` combinations that a format takes."""
    random = Random(seed)
    return [_case(surface, random) for _ in range(count)]


def _case(surface: str, random: Random) -> dict[str, Any]:
    choices = _CHOICES | (_VERTEX_CHOICES if surface == "vertex" else {})
    chosen = random.sample(sorted(choices), random.randint(0, len(choices)))
    case: dict[str, Any] = {
        "model": random.choice(_MODELS),
        "prompt": random.choice(_PROMPTS),
        "config": {name: random.choice(choices[name]) for name in chosen},
    }
    kind = random.choice(("text", "image", "frames", "references", "video"))
    if kind in ("image", "frames"):
        case["image"] = _picture(surface, random)
    if kind == "frames":
        case["last_frame"] = _picture(surface, random)
    if kind == "references":
        case["reference_images"] = [_reference(surface, random) for _ in range(random.randint(1, 3))]
    if kind == "video":
        case["video"] = _video(surface, random)
    return case


def _bytes(random: Random, mime_type: str) -> dict[str, str]:
    content = random.randbytes(random.choice((1, 2, 3, 500)))
    return {"base64": base64.b64encode(content).decode(), "mime_type": mime_type}


def _picture(surface: str, random: Random) -> dict[str, str]:
    mime_type = random.choice(("image/png", "image/jpeg"))
    if surface == "vertex" and random.random() < 0.5:
        uri = f"gs://bucket/picture.{mime_type[6:]}"
        return {"uri": uri} if random.random() < 0.5 else {"uri": uri, "mime_type": mime_type}
    return _bytes(random, mime_type)


def _reference(surface: str, random: Random) -> dict[str, str]:
    kind = random.choice(("asset", "style")) if surface == "vertex" else "asset"
    return _picture(surface, random) | {"reference_type": kind}


def _video(surface: str, random: Random) -> dict[str, str]:
    if surface == "vertex" and random.random() < 0.5:
        return _bytes(random, "video/mp4")
    uri = "gs://bucket/clip.mp4" if surface == "vertex" else "https://service.example/v1beta/files/abc"
    return {"uri": uri} if random.random() < 0.5 else {"uri": uri, "mime_type": "video/mp4"}


def request_of(case: dict[str, Any]) -> VideoRequest:
    """Return our request for a case."""
    config: dict[str, Any] = case.get("config", {})
    given: dict[str, Any] = {
        name: _media(case[name]) for name in ("image", "last_frame", "video") if name in case
    }
    for name, value in config.items():
        if name not in _EXTRA:
            given[_OURS.get(name, name)] = value
    return VideoRequest(
        case["prompt"],
        model=case["model"],
        reference_images=[_media(medium) for medium in case.get("reference_images", ())],
        extra={_EXTRA[name]: value for name, value in config.items() if name in _EXTRA},
        **given,
    )


def _media(medium: dict[str, str]) -> Media:
    kind = medium.get("reference_type")
    if "uri" in medium:
        return Media(uri=medium["uri"], mime_type=medium.get("mime_type"), reference_type=kind)
    content = base64.b64decode(medium["base64"])
    return Media(data=content, size=len(content), mime_type=medium["mime_type"], reference_type=kind)
