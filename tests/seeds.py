"""The seeds' answers, word for word, and what their errors are about."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from veo_async.answers import RefusalKind
from veo_async.wire import Response

__all__ = ["BALANCE", "ERRORS", "INTERNAL", "POLICY", "SAMPLES", "SIGNATURE", "sample"]

SAMPLES: Final = Path(__file__).parent / "samples"

SIGNATURE: Final = ("gptproto_401_invalid_signature.json", "Invalid signature", "401")
BALANCE: Final = ("gptproto_403_insufficient_balance.json", "Insufficient balance", "403")
INTERNAL: Final = ("gptproto_500_internal_server_error.json", "Internal server error", "500")
POLICY: Final = (
    "gptproto_503_content_policy.json",
    "Input may not meet the guidelines. Please adjust and try again.",
    "503",
)
"""The file, its message and its code."""

ERRORS: Final = [
    (SIGNATURE, 401, RefusalKind.AUTHENTICATION),
    (BALANCE, 403, RefusalKind.BALANCE),
    (INTERNAL, 500, RefusalKind.SERVER),
    (POLICY, 503, RefusalKind.CONTENT),
    (POLICY, 400, RefusalKind.CONTENT),  # seed 003: "actual status code is 400"
    # A gateway that answers 200 to everything: the error's own code counts.
    (SIGNATURE, 200, RefusalKind.AUTHENTICATION),
    (BALANCE, 200, RefusalKind.BALANCE),
    (INTERNAL, 200, RefusalKind.SERVER),
    (POLICY, 200, RefusalKind.CONTENT),
    # One that answers 400 to everything, as it does to policy.
    (SIGNATURE, 400, RefusalKind.AUTHENTICATION),
    (BALANCE, 400, RefusalKind.BALANCE),
    (INTERNAL, 400, RefusalKind.SERVER),
]
"""What each means under which status."""


def sample(name: str, status: int = 200) -> Response:
    """Return a seed's answer."""
    headers = {"content-type": "application/json"}
    return Response(status=status, headers=headers, body=(SAMPLES / name).read_bytes())
