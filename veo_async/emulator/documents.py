"""JSON bodies read strictly: one object, known fields, exact types, and what a request is known by later."""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias, cast

from veo_async.emulator.refusals import invalid

Object: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Any], str | None]
"""Says what is wrong with a value, ``{}`` standing for the field's name; None if nothing is."""


def parse_object(body: bytes) -> Object:
    """The JSON object in a body.

    Raises:
        RefusedError: it is no JSON, or no object.
    """
    try:
        document: Any = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid("Invalid JSON payload received. The body could not be parsed.") from None
    if not isinstance(document, dict):
        raise invalid("Invalid JSON payload received. The root element must be an object.")
    return cast("Object", document)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def as_object(value: Any, name: str) -> Object:
    """The value, seen to be an object; else it is refused under its name."""
    if not isinstance(value, dict):
        raise invalid(f"The value type for `{name}` needs to be an object.")
    return cast("Object", value)


def as_list(value: Any, name: str) -> list[Any]:
    """The value, seen to be a list; else it is refused under its name."""
    if not isinstance(value, list):
        raise invalid(f"The value type for `{name}` needs to be a list.")
    return list(cast("Iterable[Any]", value))


def refuse_unknown(fields: Collection[str], names: Collection[str]) -> None:
    """Refuse any field that isn't one of these, in the live service's words."""
    for key in fields:
        if key not in names:
            raise invalid(
                f"`{key}` isn't supported by this model. Please remove it or refer to the Gemini API "
                "documentation for supported usage."
            )


def check_values(fields: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Refuse the first value that its check complains about; fields without a check pass."""
    for name, value in fields.items():
        complaint = checks[name](value) if name in checks else None
        if complaint:
            raise invalid(f"The value {complaint}".replace("{}", f"`{name}`"))


def number(value: Any) -> str | None:
    """A finite number, which a string of digits is not."""
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return None if fine else "type for {} needs to be a number."


def whole(value: Any) -> str | None:
    """A number without a fraction."""
    return number(value) or (None if value == int(value) else "of {} needs to be a whole number.")


def text(value: Any) -> str | None:
    """A string."""
    return None if isinstance(value, str) else "type for {} needs to be a string."


def flag(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "type for {} needs to be a boolean."


def one_of(*choices: str) -> Check:
    """One of these strings."""

    def check(value: Any) -> str | None:
        return None if value in choices else f"of {{}} is not valid: it must be one of {', '.join(choices)}."

    return check


def web_url(value: Any) -> str | None:
    """A URL that a service could fetch."""
    fine = isinstance(value, str) and value.startswith(("https://", "http://"))
    return None if fine else "of {} needs to be a URL."


def web_urls(most: int) -> Check:
    """A list of at most so many URLs."""

    def check(value: Any) -> str | None:
        urls = list(cast("Iterable[Any]", value)) if isinstance(value, list) else [None]
        if any(map(web_url, urls)):
            return "type for {} needs to be a list of URLs."
        return f"of {{}} holds more than {most} URLs." if len(urls) > most else None

    return check


def prompt_of(fields: Mapping[str, Any]) -> str:
    """The prompt.

    Raises:
        RefusedError: it is missing, empty or no text.
    """
    prompt = fields.get("prompt", "")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("`prompt` must be a text that is not empty.")
    return prompt


def decode_base64(encoded: str, name: str) -> bytes:
    """The bytes behind strict Base64; else it is refused under its name."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"`{name}` is not valid Base64.") from None


def sha256_hex(content: bytes) -> str:
    """What media are kept and known by."""
    return hashlib.sha256(content).hexdigest()


def digest_of(*parts: Any) -> str:
    """SHA-256 over JSON values; the order of an object's keys doesn't count."""
    return sha256_hex(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode())


def without_media(value: Any) -> Any:
    """A body with media replaced by their SHA-256: the bill shall stay small."""
    if isinstance(value, list):
        return [without_media(item) for item in cast("Iterable[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("Object", value)
    return {key: _media_digest(key, item) or without_media(item) for key, item in fields.items()}


def _media_digest(key: str, value: Any) -> str | None:
    if key != "bytesBase64Encoded" or not isinstance(value, str):
        return None
    return "sha256:" + sha256_hex(base64.b64decode(value))
