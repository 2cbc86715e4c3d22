"""Faults carried out on the wire: resets, cuts and silences that a well-behaved server can't produce."""

import asyncio
import functools
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from aiohttp import web
from aiohttp.hdrs import CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING

from veo_async.emulator.faults import Fault, Misdeed

Answerer: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

_CANNED = b'{"name": "models/veo/operations/never-accepted-never-billed"}'
_LINGER_ZERO = struct.pack("ii", 1, 0)
_HALF_HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/js"
_INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n" * 10
_FLOOD_PAUSE_S = 0.01
_DRIPS_PER_SECOND = 20.0
_GONE_CHECK_S = 0.1
_LANDING_S = 0.01
"""Bytes that a reset overtakes are lost, so they get a moment to arrive."""


async def commit(
    fault: Fault, request: web.Request, answer: Answerer, stopping: asyncio.Event
) -> web.StreamResponse:
    """Carry out a fault on a request.

    Args:
        fault: what goes wrong.
        request: the request, its body not read yet.
        answer: the service, asked only if the fault lets it accept.
        stopping: set when the emulator stops; what never ends, ends then.
    """
    if fault.misdeed is Misdeed.RESET_UNREAD:
        return _reset(request)
    await request.read()
    truth = await answer(request) if fault.accepted else _canned()
    return await _DEEDS[fault.misdeed](fault, request, truth, stopping)


def _canned() -> web.Response:
    return web.Response(body=_CANNED, content_type="application/json")


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        # Closing with linger zero makes the kernel send RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()
    return web.Response()


def _end(request: web.Request, *parts: bytes) -> web.Response:
    """Write bytes as they are and close; aiohttp then finds the transport closed and writes no more."""
    transport = request.transport
    if transport is not None:
        transport.writelines(parts)
        transport.close()
    return web.Response()


def _head(answer: web.Response, *, length: int | None = None, more: Mapping[str, str] | None = None) -> bytes:
    kept = {name: value for name, value in answer.headers.items() if name not in _FRAMING}
    framing = {} if length is None else {CONTENT_LENGTH: str(length)}
    lines = [f"{name}: {value}" for name, value in (kept | framing | dict(more or {})).items()]
    phrase = HTTPStatus(answer.status).phrase
    return "\r\n".join([f"HTTP/1.1 {answer.status} {phrase}", *lines, "", ""]).encode()


_FRAMING = frozenset({CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION})


def _body(answer: web.Response) -> bytes:
    body = answer.body
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


async def _reset_after(_: Fault, request: web.Request, __: web.Response, ___: asyncio.Event) -> web.Response:
    return _reset(request)


async def _close(_: Fault, request: web.Request, __: web.Response, ___: asyncio.Event) -> web.Response:
    return _end(request)


async def _raw(fault: Fault, request: web.Request, _: web.Response, __: asyncio.Event) -> web.Response:
    return _end(request, fault.body)


async def _half_header(_: Fault, request: web.Request, __: web.Response, ___: asyncio.Event) -> web.Response:
    return _end(request, _HALF_HEADER)


async def _silence(
    _: Fault, request: web.Request, __: web.Response, stopping: asyncio.Event
) -> web.StreamResponse:
    while not stopping.is_set() and not _gone(request):
        await _pause(stopping, _GONE_CHECK_S)
    return _reset(request)


async def _short_body(
    fault: Fault, request: web.Request, truth: web.Response, _: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    return _end(request, _head(truth, length=len(body)), body[: int(len(body) * fault.share)])


async def _long_body(
    fault: Fault, request: web.Request, truth: web.Response, _: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    return _end(request, _head(truth, length=int(len(body) * fault.share)), body)


async def _surplus(
    fault: Fault, request: web.Request, truth: web.Response, _: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    return _end(request, _head(truth, length=len(body)), body, fault.body)


async def _reset_within(
    fault: Fault, request: web.Request, truth: web.Response, stopping: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    if request.transport is not None:
        request.transport.writelines([_head(truth, length=len(body)), body[: int(len(body) * fault.share)]])
        await _pause(stopping, _LANDING_S)
    return _reset(request)


async def _unframed_cut(
    fault: Fault, request: web.Request, truth: web.Response, _: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    return _end(request, _head(truth, more={CONNECTION: "close"}), body[: int(len(body) * fault.share)])


async def _chunk_cut(
    fault: Fault, request: web.Request, truth: web.Response, _: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    head = _head(truth, more={TRANSFER_ENCODING: "chunked"})
    return _end(request, head, b"%x\r\n" % len(body), body[: int(len(body) * fault.share)])


async def _drip(
    fault: Fault, request: web.Request, truth: web.Response, stopping: asyncio.Event
) -> web.StreamResponse:
    body = _body(truth)
    transport = request.transport
    if transport is None:
        return web.Response()
    transport.write(_head(truth, length=len(body)))
    step = max(1, round(fault.bytes_per_second / _DRIPS_PER_SECOND))
    for start in range(0, len(body), step):
        await _pause(stopping, step / fault.bytes_per_second)
        if stopping.is_set() or _gone(request):
            return _reset(request)
        transport.write(body[start : start + step])
    return _end(request)


async def _flood_1xx(
    _: Fault, request: web.Request, __: web.Response, stopping: asyncio.Event
) -> web.StreamResponse:
    while request.transport is not None and not stopping.is_set() and not _gone(request):
        request.transport.write(_INTERIM)
        await _pause(stopping, _FLOOD_PAUSE_S)
    return _reset(request)


async def _answer(fault: Fault, _: web.Request, __: web.Response, ___: asyncio.Event) -> web.Response:
    return web.Response(status=fault.status, body=fault.body, headers=fault.headers)


async def _gzip_bomb(fault: Fault, _: web.Request, __: web.Response, ___: asyncio.Event) -> web.Response:
    body = await asyncio.to_thread(_bomb, fault.size_bytes)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=body, headers=headers)


async def _edit(fault: Fault, _: web.Request, truth: web.Response, __: asyncio.Event) -> web.Response:
    assert fault.edit_answer is not None
    document: Any = json.loads(_body(truth))
    changed = fault.edit_answer(document)
    return web.json_response(document if changed is None else changed, status=truth.status)


async def _rewrite(fault: Fault, _: web.Request, truth: web.Response, __: asyncio.Event) -> web.Response:
    assert fault.rewrite_answer is not None
    changed = fault.rewrite_answer(_body(truth))
    return web.Response(status=truth.status, body=changed, content_type=truth.content_type)


async def _with_headers(fault: Fault, _: web.Request, truth: web.Response, __: asyncio.Event) -> web.Response:
    truth.headers.update(fault.headers)
    return truth


_Deed: TypeAlias = Callable[[Fault, web.Request, web.Response, asyncio.Event], Awaitable[web.StreamResponse]]

_DEEDS: Mapping[Misdeed, _Deed] = {
    Misdeed.RESET: _reset_after,
    Misdeed.CLOSE: _close,
    Misdeed.RESET_WITHIN: _reset_within,
    Misdeed.SILENCE: _silence,
    Misdeed.RAW: _raw,
    Misdeed.HALF_HEADER: _half_header,
    Misdeed.SHORT_BODY: _short_body,
    Misdeed.LONG_BODY: _long_body,
    Misdeed.SURPLUS: _surplus,
    Misdeed.CHUNK_CUT: _chunk_cut,
    Misdeed.UNFRAMED_CUT: _unframed_cut,
    Misdeed.DRIP: _drip,
    Misdeed.FLOOD_1XX: _flood_1xx,
    Misdeed.ANSWER: _answer,
    Misdeed.GZIP_BOMB: _gzip_bomb,
    Misdeed.EDIT: _edit,
    Misdeed.REWRITE: _rewrite,
    Misdeed.WITH_HEADERS: _with_headers,
}


@functools.lru_cache(maxsize=4)
def _bomb(size_bytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(2**20)
    whole, rest = divmod(size_bytes, len(block))
    parts = [packer.compress(block) for _ in range(whole)]
    return b"".join([*parts, packer.compress(block[:rest]), packer.flush()])


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
