"""What a server of HTTP cannot do: alerts of TLS, a stranger's certificate, a trap that counts visits."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from tests.network.trap import Answer, Visit, trap

__all__ = ["Elsewhere", "Tls", "certified", "elsewhere"]

_HANDSHAKE_FAILURE: Final = bytes([21, 3, 3, 0, 2, 2, 40])
"""A record of TLS: an alert, fatal, "handshake_failure"."""


@frozen(kw_only=True)
class Tls:
    """Two sides of TLS, and a server's side that asks every client for a certificate nobody has."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    demanding: ssl.SSLContext


def certified(folder: Path) -> Tls | None:
    """Make a certificate for this machine; None without the program that makes one."""
    tool = shutil.which("openssl")
    if tool is None:
        return None
    cert, key = folder / "cert.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([tool, *options.split(), *names], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    demanding = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
    demanding.load_cert_chain(cert, key)
    # Since 1.3 a server speaks of the client's certificate only after the client may have sent its request.
    demanding.minimum_version = ssl.TLSVersion.TLSv1_3
    demanding.verify_mode = ssl.CERT_REQUIRED
    return Tls(client=ssl.create_default_context(cafile=str(cert)), server=server, demanding=demanding)


@define
class Elsewhere:
    """Origins at which requests go wrong, and how often the trap was visited."""

    origins: dict[str, str] = field(factory=dict[str, str])
    trapped: int = 0


async def _alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(_HANDSHAKE_FAILURE)
    writer.close()


async def _to_http(target: str, visit: Visit) -> None:
    await visit.reply(status=302, Location=target)


async def _count(places: Elsewhere, visit: Visit) -> None:
    places.trapped += 1
    await visit.reply(b"{}")


@asynccontextmanager
async def elsewhere(tls: Tls | None, plain_url: str) -> AsyncGenerator[Elsewhere, None]:
    """Run all servers beside the emulator.

    Args:
        tls: What those of TLS need; without it they are left out.
        plain_url: An address of plain HTTP that one of them redirects to.
    """
    places = Elsewhere()
    alerting = await asyncio.start_server(_alert, "127.0.0.1", 0)
    places.origins["alert"] = f"https://127.0.0.1:{alerting.sockets[0].getsockname()[1]}"
    count: Answer = partial(_count, places)
    down: Answer = partial(_to_http, plain_url)
    async with alerting, trap(count) as snare:
        places.origins["trap"] = snare.origin
        if tls is None:
            yield places
            return
        async with (
            trap(count, tls.demanding) as late,
            trap(count, tls.server) as stranger,
            trap(down, tls.server) as downgrading,
        ):
            places.origins |= {
                "late alert": late.origin,
                "stranger's certificate": stranger.origin,
                "downgrade": downgrading.origin,
            }
            yield places
