"""What may become of a video on its way to a file: whole, or an error and no file at all."""

from __future__ import annotations

import time
from typing import Final

from tests.faults.cells import STORED, Cell, Ending, Makes, Phase, cells_at, cells_of
from tests.faults.modes import BROKEN, COMPRESSED, HINT_S, HINTED, SERVER_PAGES, UNHINTED, elsewhere
from veo_async import DownloadError
from veo_async.emulator import Fault

__all__ = ["DOWNLOADS"]


def _fails(reason: str) -> Ending:
    return Ending(error=DownloadError, reason=reason)


_PASSING: Final[dict[str, Fault]] = {
    **BROKEN,
    **SERVER_PAGES,
    "a drip that is too slow": Fault.drip(bytes_per_second=2_000),
    "cut without framing": Fault.unframed_cut(),
    "cut to nothing without framing": Fault.unframed_cut(0.0),
    "length shorter than its body": Fault.long_body(),
    "an HTML page under 200": Fault.html(200),
    "an error in JSON under 200": Fault.answer(200, {"error": {"code": 404, "message": "gone"}}),
    "called text": Fault.with_headers({"Content-Type": "text/plain"}),
    "empty": Fault.answer(200, b"", {"Content-Type": "video/mp4"}),
    "another digest than announced": Fault.with_headers({"x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA=="}),
    "a 500 of the provider's": Fault.internal_error(),
    "a 503 of the provider's": Fault.overloaded(),
}
"""Once: another try brings the file."""

_WHOLE: Final[dict[str, Fault]] = {
    "a cookie": Fault.with_headers({"Set-Cookie": "lb=1; Path=/"}),
    "called a stream of bytes": Fault.with_headers({"Content-Type": "application/octet-stream"}),
    "bytes after the file's end": Fault.surplus(b"and more"),
}

_REFUSED: Final[dict[str, Makes]] = {
    **COMPRESSED,
    "a gzip bomb": Fault.gzip_bomb(4 * 2**20),
    **elsewhere(302, 307),
    "a redirect to a private address": Fault.redirect("https://169.254.169.254/latest/meta-data", 302),
    "a redirect to file:": Fault.redirect("file:///etc/passwd", 302),
}

_GONE: Final[dict[str, Fault]] = {
    "a 401": Fault.unauthorized(),
    "a 403 about permission": Fault.forbidden(),
    "a 403 about the balance": Fault.insufficient_balance(),
    "a 404": Fault.not_found(),
    "a 410": Fault.not_found(410),
}


def _of(phase: Phase) -> list[Cell]:
    """Return what holds for a link and for the place that it redirects to alike."""
    return [
        *cells_of(phase, STORED, _PASSING, asked=2),
        *cells_of(phase, STORED, _WHOLE, asked=1),
        *cells_of(phase, STORED, HINTED, asked=2, gap=HINT_S),
        *cells_of(
            phase,
            STORED,
            {"429 until a date": lambda _: Fault.rate_limited_until(time.time() + 5)},
            asked=2,
            gap=HINT_S,
        ),
        *cells_of(phase, STORED, UNHINTED, asked=2),
        *cells_of(phase, _fails("refused"), _REFUSED, lasts=True, asked=1),
        *cells_of(
            phase,
            _fails("refused"),
            {"a redirect in a circle": lambda scene: Fault.redirect(scene.loop, 302)},
            lasts=True,
        ),
        *cells_of(phase, STORED, {f"{name} once": fault for name, fault in _GONE.items()}, asked=2),
        *cells_of(phase, _fails("expired"), _GONE, lasts=True, asked=2),
        *cells_of(phase, _fails("failed"), {"204": Fault.answer(204)}, lasts=True, asked=1),
        *cells_at(phase, _fails("failed"), "alert", "late alert", "stranger's certificate"),
        *cells_at(phase, _fails("refused"), "downgrade"),
    ]


def _each_time(phase: Phase) -> list[Cell]:
    """Return what ends in an error, and in no file, because it never gets better."""
    return [
        *cells_of(
            phase,
            _fails("truncated"),
            {
                "body shorter than its length each time": Fault.short_body(),
                "chunk cut each time": Fault.chunk_cut(),
                "cut without framing each time": Fault.unframed_cut(),
            },
            lasts=True,
            asked=5,
        ),
        *cells_of(
            phase,
            _fails("failed"),
            {"a reset each time": Fault.reset_after_reading(), "an HTML 502 each time": Fault.html(502)},
            lasts=True,
            asked=5,
        ),
        *cells_of(
            phase, _fails("wrong_type"), {"an HTML page each time": Fault.html(200)}, lasts=True, asked=3
        ),
        *cells_of(
            phase,
            _fails("corrupt"),
            {"length shorter than its body each time": Fault.long_body()},
            lasts=True,
            asked=2,
        ),
    ]


def _followed(status: int) -> Makes:
    return lambda scene: Fault.redirect(scene.file, status)


_FOLLOWED: Final = {
    f"a redirect {status} to the same host": _followed(status) for status in (301, 302, 303, 307, 308)
}

DOWNLOADS: Final[list[Cell]] = [
    *_of(Phase.DOWNLOAD),
    *_each_time(Phase.DOWNLOAD),
    *cells_of(Phase.DOWNLOAD, STORED, _FOLLOWED, asked=1),
    *_of(Phase.HOP),
]
