"""Tells addresses on this machine when a job is done, as the Gemini API does: signed, at least once.

Standard Webhooks with an HMAC for the addresses given once for all; a JWT under RS256, or the same HMAC, for
those that came with a submission (``webhookConfig``).
"""

import asyncio
import base64
import hmac
import json
import logging
import secrets
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from attrs import field, frozen, validators

from veo_async.emulator.documents import as_list, as_object, refuse_unknown
from veo_async.emulator.fates import Ending
from veo_async.emulator.jobs import Job
from veo_async.emulator.refusals import invalid
from veo_async.emulator.service import Service
from veo_async.emulator.times import iso_time

JWKS_PATH: Final = "/.well-known/jwks.json"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_GLANCE_S: Final = 0.02
"""How often it is looked whether a job is done: its clock may be a test's, and `finish_all` moves it."""
_ANSWER_S: Final = 5.0
_RETRY_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_TAKEN: Final = range(200, 300)
"""Any other answer, and it is sent again."""
_TOKEN_S: Final = 300
_KEY_ID: Final = "emulator-1"
_FIELD: Final = "webhookConfig"

logger: logging.Logger = logging.getLogger(__name__)


def _all_loopback(_: object, __: object, uris: tuple[str, ...]) -> None:
    for uri in uris:
        if not is_loopback_uri(uri):
            raise ValueError(f"the emulator sends webhooks to this machine only, not to {uri!r}")


@frozen(kw_only=True)
class Webhooks:
    """How the emulator tells that jobs are done, and what goes wrong with it."""

    secret: str = field(repr=False)
    """What it signs by: ``whsec_`` and Base64."""
    uris: tuple[str, ...] = field(default=(), validator=_all_loopback)
    """Addresses that are told of every job of the Gemini format, whatever came with it."""
    tokens: bool = False
    """Whether addresses that came with a submission get a JWT under RS256 in place of the HMAC (needs the
    extra ``webhooks``). Its ``aud`` is the address, its ``iss`` the emulator's origin."""
    short_ids: bool = False
    """Whether ``data.id`` is an operation's id alone; else it is its name."""
    copies: int = field(default=1, validator=validators.ge(1))
    """How often each delivery is made although it was answered: more than once is what "at least" allows."""
    late: float = field(default=0.0, validator=validators.ge(0.0))
    """Seconds that pass after a job is done."""
    forged: int = field(default=0, validator=validators.ge(0))
    """How many deliveries with a signature of somebody else's go before each."""


@frozen(kw_only=True)
class Delivery:
    """One request that the emulator made."""

    at: float
    """Monotonic seconds."""
    uri: str
    job: str
    genuine: bool
    status: int | None
    """None: there was no answer."""


class WebhookSender:
    """Watches jobs and tells of their end; lives as long as the emulator listens."""

    def __init__(self, terms: Webhooks, service: Service, made: list[Delivery]) -> None:
        """A sender that notes in `made` what it sends."""
        self._terms = terms
        self._service = service
        self._made = made
        self._signer = _TokenSigner() if terms.tokens else None
        self._forger = _TokenSigner() if terms.tokens and terms.forged else None
        self._running: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None
        self._origin = ""

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse a submission that names addresses elsewhere; raises `RefusedError`."""
        for uri in _uris_of(request):
            if not isinstance(uri, str) or not is_loopback_uri(uri):
                raise invalid("`webhookConfig.uris` must be addresses of this machine: this is an emulator.")

    def watch(self, job: Job) -> None:
        """Tell of a job when it is done, if there is anybody to tell."""
        if self._terms.uris or _uris_of(job.order.request):
            self._running.add(job.id)
            if len(self._running) == 1:
                self._begin(self._look())

    def begin(self, origin: str) -> None:
        """Begin, at this origin, with the jobs of an earlier run that are not done."""
        self._origin = origin
        now = self._service.now()
        for job in self._service.jobs:
            if job.ticket.surface == "gemini" and not job.done(now):
                self.watch(job)

    async def serve_keys(self, _: web.Request) -> web.Response:
        """The public keys, as a JWKS."""
        keys = [] if self._signer is None else [self._signer.public_key]
        return web.json_response({"keys": keys})

    async def stop(self) -> None:
        """Tell nobody any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        while self._running:
            await asyncio.sleep(_GLANCE_S)
            now = self._service.now()
            jobs = map(self._service.job, tuple(self._running))
            for job in [job for job in jobs if job.done(now)]:
                self._running.discard(job.id)
                for uri in self._terms.uris:
                    self._begin(self._tell(job, uri, by_token=False))
                for uri in _uris_of(job.order.request):
                    self._begin(self._tell(job, str(uri), by_token=self._signer is not None))

    async def _tell(self, job: Job, uri: str, *, by_token: bool) -> None:
        terms = self._terms
        await asyncio.sleep(terms.late)
        delivery_id = f"msg_{secrets.token_hex(12)}"
        body = json.dumps(_event(job, short_ids=terms.short_ids)).encode()
        for _ in range(terms.forged):
            headers = self._forged_headers(uri, body, by_token=by_token)
            await self._post(job, uri, headers, body, genuine=False)
        for _ in range(terms.copies):
            for wait in (*_RETRY_WAITS_S, None):
                headers = self._headers(uri, delivery_id, body, by_token=by_token)
                if await self._post(job, uri, headers, body, genuine=True) or wait is None:
                    break
                await asyncio.sleep(wait)

    def _headers(self, uri: str, delivery_id: str, body: bytes, *, by_token: bool) -> Mapping[str, str]:
        headers = _signed(self._terms.secret, delivery_id, body)
        return headers | self._token(self._signer if by_token else None, uri, delivery_id, body)

    def _forged_headers(self, uri: str, body: bytes, *, by_token: bool) -> Mapping[str, str]:
        """The same by keys of somebody else's."""
        delivery_id = f"msg_{secrets.token_hex(12)}"
        headers = _signed(_new_secret(), delivery_id, body)
        return headers | self._token(self._forger if by_token else None, uri, delivery_id, body)

    def _token(
        self, signer: "_TokenSigner | None", uri: str, delivery_id: str, body: bytes
    ) -> dict[str, str]:
        if signer is None:
            return {}
        claims = {"iss": self._origin, "aud": uri, "jti": delivery_id, **json.loads(body)}
        return {"webhook-signature": signer.token(claims)}

    async def _post(
        self, job: Job, uri: str, headers: Mapping[str, str], body: bytes, *, genuine: bool
    ) -> bool:
        """Make one delivery; return whether it was answered by a 2xx."""
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S))
        status = None
        try:
            async with self._client.post(uri, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.debug("no answer from %s: %r", uri, error)
        at = time.monotonic()
        self._made.append(Delivery(at=at, uri=uri, job=job.id, genuine=genuine, status=status))
        return status in _TAKEN


class _TokenSigner:
    """Signs JWTs by a key of its own, made anew in each run."""

    def __init__(self) -> None:
        try:
            import jwt
            from cryptography.hazmat.primitives.asymmetric import rsa
            from jwt.algorithms import RSAAlgorithm
        except ImportError:
            raise ImportError("webhook tokens need PyJWT: pip install 'veo-async[webhooks]'") from None
        self._encode = jwt.encode
        self._jwk = RSAAlgorithm.to_jwk
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_key(self) -> dict[str, Any]:
        """The public key, as an entry of a JWKS."""
        key: dict[str, Any] = json.loads(self._jwk(self._key.public_key()))
        return key | {"kid": _KEY_ID, "alg": "RS256", "use": "sig"}

    def token(self, claims: Mapping[str, Any]) -> str:
        """A token that says so, from now on for five minutes."""
        now = int(time.time())
        times = {"iat": now, "exp": now + _TOKEN_S}
        return self._encode({**claims, **times}, self._key, algorithm="RS256", headers={"kid": _KEY_ID})


def is_loopback_uri(uri: str) -> bool:
    """Whether an address is one of this machine."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname in _LOOPBACK and parts.username is None


def _uris_of(request: Mapping[str, Any]) -> list[Any]:
    """The addresses that came with a submission; raises `RefusedError` where they cannot be read."""
    config = request.get(_FIELD)
    if config is None:
        return []
    fields = as_object(config, _FIELD)
    refuse_unknown(fields, {"uris", "userMetadata"})
    return as_list(fields.get("uris", []), f"{_FIELD}.uris")


def _event(job: Job, *, short_ids: bool) -> Mapping[str, Any]:
    """The thin payload: what is done and where, not the video."""
    data: dict[str, Any] = {"id": job.ticket.handle if short_ids else job.ticket.operation}
    if job.fate.ending is Ending.SUCCEEDED:
        data["file_name"] = f"files/{job.files[0]}"
    return {"type": "video.generated", "version": "v1", "timestamp": iso_time(job.ready_at), "data": data}


def _signed(secret: str, delivery_id: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, b".".join([delivery_id.encode(), timestamp.encode(), body]), "sha256")
    return {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
