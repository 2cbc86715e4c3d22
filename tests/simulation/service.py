"""The provider: what it starts, what it bills, and what it says of it. It alone knows the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, ClassVar, Final

from attrs import define, field, frozen

from .clock import Clock
from .weather import Fault, Weather

__all__ = ["BASE", "MODEL", "Operation", "Reply", "Service"]

BASE: Final = "https://gateway.example"
MODEL: Final = "veo-3.1-fast-generate-preview"

SILENCE_S: Final = 120.0
RETENTION_S: Final = 2_400.0
MOST_EMPTY: Final = 3
"""How often an operation that goes on may be said to be done, with nothing in it."""
NEW_S: Final = 60.0
"""Longest time that a new operation may be unknown to the one that is asked."""
FATES: Final = (*["succeeded"] * 15, *["failed", "filtered", "blocked"] * 2, "empty", "stuck")


@define(eq=False)
class Operation:
    """One generation that the provider began, and bills."""

    number: int
    """Of the request that started it."""
    name: str
    fate: str
    ends_at: float
    known_from: float
    gone_from: float
    empty_times: int = 0


@frozen
class Reply:
    """What goes back, when, and what went wrong on the way."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict[str, str])
    lost: bool = False
    """True where it never arrives."""
    delay: float = 0.0
    fault: Fault | None = None


@define(eq=False)
class Service:
    """A provider of the Gemini format, with an account that may run dry and a key that may be revoked."""

    clock: Clock
    dice: Random
    weather: Weather
    is_recorded: Callable[[str], bool]
    """Whether the client's ledger has an operation's name: only such a one is given out twice."""
    submits_per_minute: int
    wants_string: bool
    """Whether the duration has to be a JSON string."""
    operations: dict[str, Operation] = field(factory=dict[str, Operation])
    started: dict[int, list[Operation]] = field(factory=dict[int, list[Operation]])
    """By the number of the request."""
    key: str = "sk-simulated-0"
    has_balance: bool = True
    _accepted_at: list[float] = field(factory=list[float])

    # ── submits ─────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, number: int, key: str, *, is_string: bool) -> Reply:
        """Take a paid request; the reply says what its sender will see of it."""
        if key != self.key:
            return _refusal(401, "401", "Invalid signature", Fault.BAD_KEY)
        if not self.has_balance:
            return _refusal(403, "403", "Insufficient balance", Fault.NO_BALANCE)
        if self._is_too_fast():
            return self._rate_limit(Fault.RATE_LIMIT)
        if self.wants_string is not is_string:
            text = "The value type for `durationSeconds` needs to be a number."
            return _refusal(400, "400", text, Fault.DURATION_TYPE)
        fault = self.weather.submit.draw(self.dice)
        return self._SUBMITS[fault](self, number, fault)

    def _is_too_fast(self) -> bool:
        """Count by the minute; once the weather is fair the client may go at its own pace."""
        if self.weather.is_fair:
            return False
        now = self.clock.true
        self._accepted_at = [at for at in self._accepted_at if at > now - 60.0]
        return len(self._accepted_at) >= self.submits_per_minute

    def _start(self, number: int) -> Operation:
        now, dice = self.clock.true, self.dice
        fate = dice.choice(FATES)
        ends_at = now + (RETENTION_S * 2 if fate == "stuck" else 60.0 * dice.lognormvariate(0.0, 0.5))
        early = self.weather.strikes(Fault.CHECK_EARLY_404, dice)
        operation = Operation(
            number=number,
            name=f"models/{MODEL}/operations/op{len(self.operations)}",
            fate=fate,
            ends_at=ends_at,
            known_from=now + (dice.uniform(0.0, NEW_S) if early else 0.0),
            gone_from=now + RETENTION_S,
        )
        self.operations[operation.name] = operation
        self.started.setdefault(number, []).append(operation)
        self._accepted_at.append(now)
        return operation

    def _accept(self, number: int, fault: Fault | None) -> Reply:
        operation = self._start(number)
        body = b'{"name": "%s"}' % operation.name.encode()
        return Reply(body, delay=self.dice.uniform(0.05, 2.0), fault=fault)

    def _late(self, number: int, fault: Fault | None) -> Reply:
        reply = self._accept(number, fault)
        return Reply(reply.body, delay=self.dice.uniform(5.0, 110.0), fault=fault)

    def _lost(self, number: int, fault: Fault | None) -> Reply:
        if fault is not Fault.LOST_UNSTARTED:
            self._start(number)
        delay = SILENCE_S if fault is Fault.SILENT else self.dice.uniform(0.0, 3.0)
        return Reply(b"", lost=True, delay=delay, fault=fault)

    def _unreadable(self, number: int, fault: Fault | None) -> Reply:
        name = self._start(number).name
        texts = ("", "<html>ok</html>", "{}", '{"name": null}', '{"name": 7}', f'{{"name": "{name}', "[]")
        return Reply(self.dice.choice(texts).encode(), delay=1.0, fault=fault)

    def _duplicate_name(self, number: int, fault: Fault | None) -> Reply:
        others = [name for name, operation in self.operations.items() if operation.number != number]
        others = [name for name in others if self.is_recorded(name)]
        if not others:
            return self._accept(number, None)
        self._start(number)
        return Reply(json.dumps({"name": self.dice.choice(others)}).encode(), delay=0.5, fault=fault)

    def _page(self, number: int, fault: Fault | None) -> Reply:
        if fault is Fault.PAGE_STARTED:
            self._start(number)
        return Reply(b"<html><title>Bad Gateway</title></html>", status=502, delay=1.0, fault=fault)

    def _server_error(self, number: int, fault: Fault | None) -> Reply:
        if fault is Fault.SERVER_ERROR_STARTED:
            self._start(number)
        return _refusal(500, "500", "Internal server error", fault)

    def _overloaded(self, _: int, fault: Fault | None) -> Reply:
        return _refusal(503, "503", "The model is overloaded", fault)

    def _redirect(self, _: int, fault: Fault | None) -> Reply:
        return Reply(b"", status=307, headers={"location": "https://elsewhere.example/"}, fault=fault)

    def _policy(self, _: int, fault: Fault | None) -> Reply:
        text = "Input may not meet the guidelines. Please adjust and try again."
        return _refusal(400, "503", text, fault)

    def _rate_limit(self, fault: Fault | None) -> Reply:
        headers = {"retry-after": str(self.dice.randint(1, 90))}
        if fault in (Fault.RATE_LIMIT_UNHINTED, Fault.CHECK_RATE_LIMIT_UNHINTED):
            headers = {}
        body = _error(429, "slow down", "RESOURCE_EXHAUSTED")
        return Reply(body, status=429, headers=headers, delay=self.dice.uniform(0.02, 1.0), fault=fault)

    def _rate_limited(self, _: int, fault: Fault | None) -> Reply:
        return self._rate_limit(fault)

    def _rate_limit_page(self, _: int, fault: Fault | None) -> Reply:
        return Reply(b"<html>Too many requests</html>", status=429, delay=0.3, fault=fault)

    def _day_quota(self, _: int, fault: Fault | None) -> Reply:
        body = _error(429, "requests per day exceeded", "RESOURCE_EXHAUSTED")
        return Reply(body, status=429, delay=0.3, fault=fault)

    _SUBMITS: ClassVar[Mapping[Fault | None, Callable[..., Reply]]] = {
        None: _accept,
        Fault.LOST_UNSTARTED: _lost,
        Fault.LOST_STARTED: _lost,
        Fault.SILENT: _lost,
        Fault.LATE: _late,
        Fault.UNREADABLE: _unreadable,
        Fault.DUPLICATE_NAME: _duplicate_name,
        Fault.PAGE_UNSTARTED: _page,
        Fault.PAGE_STARTED: _page,
        Fault.SERVER_ERROR_UNSTARTED: _server_error,
        Fault.SERVER_ERROR_STARTED: _server_error,
        Fault.OVERLOADED: _overloaded,
        Fault.REDIRECT: _redirect,
        Fault.POLICY: _policy,
        Fault.RATE_LIMIT: _rate_limited,
        Fault.RATE_LIMIT_UNHINTED: _rate_limited,
        Fault.RATE_LIMIT_PAGE: _rate_limit_page,
        Fault.DAY_QUOTA: _day_quota,
    }

    # ── checks ──────────────────────────────────────────────────────────────────────────────────────────

    def check(self, name: str, key: str) -> Reply:
        """Tell how an operation stands, or something else instead."""
        if key != self.key:
            return _refusal(401, "401", "Invalid signature", Fault.BAD_KEY)
        if not self.has_balance:
            return _refusal(403, "403", "Insufficient balance", Fault.NO_BALANCE)
        operation = self.operations[name]
        now = self.clock.true
        if now < operation.known_from:
            return Reply(_error(404, "not found", "NOT_FOUND"), status=404, fault=Fault.CHECK_EARLY_404)
        if now >= operation.gone_from:
            return Reply(_error(404, "not found", "NOT_FOUND"), status=404, fault=Fault.CHECK_GONE)
        fault = self.weather.check.draw(self.dice)
        return self._CHECKS[fault](self, operation, fault)

    def _told(self, operation: Operation, fault: Fault | None) -> Reply:
        delay = self.dice.uniform(3.0, 25.0) if fault is Fault.CHECK_LATE else 0.05
        if self.clock.true < operation.ends_at:
            return Reply(b'{"name": "%s"}' % operation.name.encode(), delay=delay, fault=fault)
        if operation.fate == "blocked":
            return self._policy(operation.number, fault)
        body = {"name": operation.name, "done": True, **ENDINGS[operation.fate](operation)}
        return Reply(json.dumps(body).encode(), delay=delay, fault=fault)

    def _check_lost(self, _: Operation, fault: Fault | None) -> Reply:
        return Reply(b"", lost=True, delay=self.dice.uniform(0.1, 30.0), fault=fault)

    def _check_server_error(self, _: Operation, fault: Fault | None) -> Reply:
        return _refusal(500, "500", "Internal server error", fault)

    def _check_page(self, _: Operation, fault: Fault | None) -> Reply:
        return Reply(b"<html>502</html>", status=502, delay=0.1, fault=fault)

    def _check_limited(self, _: Operation, fault: Fault | None) -> Reply:
        return self._rate_limit(fault)

    def _check_empty(self, operation: Operation, fault: Fault | None) -> Reply:
        operation.empty_times += 1
        if operation.empty_times > MOST_EMPTY:
            return self._told(operation, None)
        return Reply(json.dumps({"name": operation.name, "done": True}).encode(), delay=0.1, fault=fault)

    def _check_flap(self, operation: Operation, fault: Fault | None) -> Reply:
        return Reply(json.dumps({"name": operation.name, "done": False}).encode(), delay=0.1, fault=fault)

    def _check_other_name(self, operation: Operation, fault: Fault | None) -> Reply:
        other = f"{operation.name}-of-another"
        body = {"name": other, "done": True, **_succeeded(operation)}
        return Reply(json.dumps(body).encode(), delay=0.1, fault=fault)

    def _check_types(self, operation: Operation, fault: Fault | None) -> Reply:
        done = self.dice.choice(("false", 0, "true", 1))
        body = {"name": operation.name, "done": done}
        return Reply(json.dumps(body).encode(), delay=0.1, fault=fault)

    def _check_redirect(self, operation: Operation, fault: Fault | None) -> Reply:
        return self._redirect(operation.number, fault)

    _CHECKS: ClassVar[Mapping[Fault | None, Callable[..., Reply]]] = {
        None: _told,
        Fault.CHECK_LOST: _check_lost,
        Fault.CHECK_LATE: _told,
        Fault.CHECK_SERVER_ERROR: _check_server_error,
        Fault.CHECK_PAGE: _check_page,
        Fault.CHECK_RATE_LIMIT: _check_limited,
        Fault.CHECK_RATE_LIMIT_UNHINTED: _check_limited,
        Fault.CHECK_EMPTY: _check_empty,
        Fault.CHECK_FLAP: _check_flap,
        Fault.CHECK_OTHER_NAME: _check_other_name,
        Fault.CHECK_TYPES: _check_types,
        Fault.CHECK_REDIRECT: _check_redirect,
    }


def _succeeded(operation: Operation) -> dict[str, Any]:
    uri = f"{BASE}/v1beta/files/{operation.name.rsplit('/', 1)[-1]}:download?alt=media"
    return {"response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}}}


def _failed(_: Operation) -> dict[str, Any]:
    return {"error": {"code": 13, "message": "Internal error."}}


def _filtered(_: Operation) -> dict[str, Any]:
    reasons = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["violence"]}
    return {"response": {"generateVideoResponse": reasons}}


def _empty(_: Operation) -> dict[str, Any]:
    return {}


ENDINGS: Final[Mapping[str, Callable[[Operation], dict[str, Any]]]] = {
    "succeeded": _succeeded,
    "failed": _failed,
    "filtered": _filtered,
    "empty": _empty,
}
"""What is said beside `done` of an operation that came to its end."""


def _error(code: int, message: str, status: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status}}).encode()


def _refusal(status: int, kind: str, message: str, fault: Fault | None) -> Reply:
    """Return an error in the shape of GPTProto: its `type` is a number as a string."""
    body = json.dumps({"error": {"message": message, "type": kind}}).encode()
    return Reply(body, status=status, delay=0.2, fault=fault)
