"""What can become of an answer on its way, by whether a whole answer comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.faults.cells import Makes
from veo_async.emulator import Fault

__all__ = [
    "BAD_JSON",
    "BROKEN",
    "COMPRESSED",
    "GARBAGE_AFTER",
    "HARMLESS",
    "HINTED",
    "INTERIM_FLOOD",
    "NO_ANSWER",
    "PADDED",
    "SERVER_PAGES",
    "UNHINTED",
    "WORDLESS",
    "backwards",
    "elsewhere",
]

HINT_S: Final = 0.3
"""What servers ask for is honoured up to so many seconds, so that a hint of a year costs no time here."""

INTERIM_FLOOD: Final = b"HTTP/1.1 102 Processing\r\n\r\n" * 2_000

NO_ANSWER: Final[Mapping[str, Fault]] = {
    "reset after reading": Fault.reset_after_reading(),
    "closed after reading": Fault.close(),
    "half a status line": Fault.half_status_line(),
    "half a header": Fault.half_header(),
    "garbage for a status line": Fault.garbage(),
    "100,000 header lines": Fault.many_headers(),
    "a header line of 1 MB": Fault.long_header(),
    "2,000 interim answers, then the end": Fault.raw(INTERIM_FLOOD),
    "reset within the answer": Fault.reset_within(),
    "body shorter than its length": Fault.short_body(),
    "chunk cut": Fault.chunk_cut(),
}
"""The connection ends before a whole answer, and can be seen to."""

BROKEN: Final[Mapping[str, Fault]] = {
    "reset before reading": Fault.reset_before_reading(),
    **NO_ANSWER,
    "silence": Fault.silence(),
    "interim answers without end": Fault.flood_1xx(),
}

COMPRESSED: Final[Mapping[str, Fault]] = {
    "unknown encoding": Fault.encoded("zstd"),
    "encoded fifty times": Fault.encoded(", ".join(["gzip"] * 50)),
    "said to be gzip and is not": Fault.encoded("gzip"),
}


def _inserted(member: str) -> Fault:
    """Put a member before all others of the true answer."""
    return Fault.rewrite(lambda body: b"{" + member.encode() + b", " + body.strip()[1:])


def _doubled(body: bytes) -> bytes:
    """Say the first key twice; whoever lets the last one count, reads the true answer."""
    key = body.strip()[1:].partition(b":")[0]
    return b"{" + key + b": null," + body.strip()[1:]


BAD_JSON: Final[Mapping[str, Fault]] = {
    "a key twice": Fault.rewrite(_doubled),
    "NaN": _inserted('"x": NaN'),
    "Infinity": _inserted('"x": -Infinity'),
    "a number beyond all bounds": _inserted('"x": 1e999'),
    "an integer of 5,000 digits": _inserted(f'"x": {"1" * 5_000}'),
    "nested 100,000 deep": _inserted(f'"x": {"[" * 100_000}{"]" * 100_000}'),
    "a lone surrogate": _inserted('"x": "\\ud800"'),
    "a byte order mark": Fault.rewrite(lambda body: b"\xef\xbb\xbf" + body),
    "a NUL at the end": Fault.rewrite(lambda body: body + b"\0"),
    "not UTF-8": Fault.rewrite(lambda body: body.replace(b"n", b"\xff", 1)),
    "a list at the top": Fault.edit(lambda answer: [answer]),
    "two answers": Fault.rewrite(lambda body: body + body),
}
"""JSON that two readers could read in two ways, or that costs a reader dear."""

WORDLESS: Final[Mapping[str, Fault]] = {
    "cut without framing": Fault.unframed_cut(),
    "length shorter than its body": Fault.long_body(),
    "an HTML page under 200": Fault.html(200, accepted=True),
    "empty": Fault.answer(200, b"", accepted=True),
    "204": Fault.answer(204, b"", accepted=True),
    "an empty object": Fault.answer(200, {}, accepted=True),
}
"""A whole answer in which nothing can be read."""


def backwards(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the same members in the other order."""
    return dict(reversed(answer.items()))


HARMLESS: Final[Mapping[str, Fault]] = {
    "members in another order": Fault.edit(backwards),
    "unknown members": Fault.edit(lambda answer: answer.update(extra={"deep": [1, None]}, version=2)),
    "a wrong content type": Fault.with_headers({"Content-Type": "text/html"}),
    "a cookie": Fault.with_headers({"Set-Cookie": "lb=1; Path=/"}),
    "an answer after the answer": Fault.surplus(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "a drip": Fault.drip(bytes_per_second=2_000),
}
"""Odd, and a whole answer."""

PADDED: Final = Fault.edit(lambda answer: answer.update(padding="x" * 2**23))
"""The true answer, twice as long as any is read that has no video in it."""

GARBAGE_AFTER: Final[Mapping[str, Fault]] = {"garbage after the answer": Fault.surplus(b"and more")}
"""Costs the answer wherever asking again is free, and must not cost it where it is not."""

SERVER_PAGES: Final[Mapping[str, Fault]] = {
    **{f"an HTML {status}": Fault.html(status) for status in (500, 502, 503, 504, 520, 521, 522, 524)},
    "a bare 503": Fault.answer(503),
    "a 500 in JSON of another shape": Fault.answer(500, {"detail": "worker died"}),
}

HINTED: Final[Mapping[str, Fault]] = {
    "429 for 0.3 seconds": Fault.rate_limited(HINT_S),
    "429 for 7 seconds": Fault.rate_limited(7),
    "429 for a year in digits": Fault.rate_limited("31536000"),
    "429 with RetryInfo": Fault.retry_info(HINT_S),
}
UNHINTED: Final[Mapping[str, Fault]] = {
    "429 without a hint": Fault.rate_limited(None),
    "429 for -5 seconds": Fault.rate_limited("-5"),
    "429 for 1e9 seconds": Fault.rate_limited("1e9"),
    "429 in full-width digits": Fault.rate_limited("\uff15"),
    "429 until 1999": Fault.rate_limited_until(915_148_800),
    "429 as a page": Fault.html(429),
    "429 and nothing else": Fault.answer(429),
    "429 with a cookie": Fault.answer(429, b"", {"Set-Cookie": "lb=1; Path=/"}),
}


def elsewhere(*statuses: int) -> dict[str, Makes]:
    """Return redirects to a place that nobody may ask."""

    def leading(status: int) -> Makes:
        return lambda scene: Fault.redirect(scene.trap, status)

    return {f"a redirect {status} to another host": leading(status) for status in statuses}
