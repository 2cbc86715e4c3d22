"""Which links a download follows: none that leads inside, none that a parser could read in another way."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from pathlib import Path

import pytest

from veo_async.download import DownloadPolicy, save_video
from veo_async.download.links import Links, shown
from veo_async.errors import DownloadError
from veo_async.transport.addresses import is_public
from veo_async.transport.connectors import guarded_socket
from veo_async.wire import Request

from .trap import transport_for

OWN = frozenset({"https://api.example.com", "http://127.0.0.1:8080", "https://10.0.0.5:8443"})
ANY = Links(OWN, frozenset())

REFUSED = [
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata/",
    "https://localhost/v",
    "https://localhost./v",
    "https://LOCALHOST/v",
    "https://a.localhost/v",
    "https://printer.local/v",
    "https://127.0.0.1/v",
    "https://127.1/v",
    "https://127.0.0.1.:443/v",
    "https://2130706433/v",
    "https://0x7f.1/v",
    "https://0x7f000001/v",
    "https://0177.0.0.1/v",
    "https://017700000001/v",
    "https://①②⑦.0.0.1/v",
    "https://127。0。0。1/v",
    "https://0.0.0.0/v",
    "https://0/v",
    "https://10.1.2.3/v",
    "https://100.64.0.1/v",
    "https://172.16.0.1/v",
    "https://192.168.0.1/v",
    "https://192.0.0.192/opc/v2/",
    "https://168.63.129.16/machine",
    "https://198.18.0.1/v",
    "https://224.0.0.1/v",
    "https://240.0.0.1/v",
    "https://255.255.255.255/v",
    "https://[::]/v",
    "https://[::1]/v",
    "https://[::ffff:127.0.0.1]/v",
    "https://[::ffff:a9fe:a9fe]/v",
    "https://[::127.0.0.1]/v",
    "https://[64:ff9b::a9fe:a9fe]/v",
    "https://[64:ff9b:1::a9fe:a9fe]/v",
    "https://[2002:7f00:1::]/v",
    "https://[2001:0:7f00:1::]/v",
    "https://[fe80::1]/v",
    "https://[fe80::1%25eth0]/v",
    "https://[fc00::1]/v",
    "https://[fec0::1]/v",
    "https://[ff02::1]/v",
    "http://cdn.example.net/v",
    "file:///etc/passwd",
    "gopher://cdn.example.net/",
    "ftp://cdn.example.net/v",
    "gs://bucket/v.mp4",
    "data:video/mp4;base64,AAAA",
    "//cdn.example.net/v",
    "/v.mp4",
    "",
    "https://",
    "https:///v",
    "https:cdn.example.net/v",
    "https://user:pw@cdn.example.net/v",
    "https://api.example.com@cdn.example.net/v",
    "https://@cdn.example.net/v",
    "https://cdn.example.net\\@api.example.com/v",
    "https://cdn.example.net:8443/v",
    "https://cdn.example.net:22/v",
    "https://cdn.example.net:0/v",
    "https://cdn.example.net:99999/v",
    "https://cdn.example.net:44e1/v",
    "https://cdn.example.net/a b",
    "https://cdn.example.net/\r\nX-Key: a",
    "https://cdn.example.net/\tv",
    "https://cdn.exa\u202emple.net/v",
    "https://cdn..example.net/v",
    "https://-cdn.example.net/v",
    "https://cdn%2eexample.net/v",
    "https://cdn.example.net/" + "a" * 9000,
    "http://127.0.0.1:8081/v",
    "http://127.0.0.1:8080@10.0.0.1/v",
    "https://127.0.0.1:8080/v",
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_link_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        ANY.check(url)
    assert caught.value.reason == "refused"
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


@pytest.mark.anyio
async def test_refused_links_cost_no_packet_and_no_look_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a packet left")

    async with transport_for() as transport:
        monkeypatch.setattr(socket.socket, "connect", forbidden)
        monkeypatch.setattr(socket, "getaddrinfo", forbidden)
        policy = DownloadPolicy(own_origins=OWN)
        for url in REFUSED:
            with pytest.raises(DownloadError) as caught:
                await save_video(
                    transport, [Request(method="GET", url=url)], tmp_path / "video.mp4", policy=policy
                )
            assert caught.value.reason == "refused"
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.anyio
async def test_a_public_name_that_leads_inside_is_refused_at_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked_up: list[object] = []

    async def rebound(_: object, host: object, port: object, **__: object) -> list[object]:
        looked_up.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.1", "169.254.169.254")
        ]

    def forbidden(*_: object) -> None:
        raise AssertionError("a packet left")

    async with transport_for() as transport:
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", rebound)
        monkeypatch.setattr(socket.socket, "connect", forbidden)
        with pytest.raises(DownloadError) as caught:
            await save_video(
                transport,
                [Request(method="GET", url="https://cdn.example.net/v")],
                tmp_path / "video.mp4",
                policy=DownloadPolicy(),
            )
    assert looked_up == ["cdn.example.net"]
    assert caught.value.reason == "refused"
    assert "not a public one" in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.net/v.mp4?X-Goog-Signature=abc&a=%2F",
        "https://CDN.example.net:443/v",
        "https://cdn.example.net./v",
        "https://xn--bcher-kva.example/v",
        "https://8.8.8.8/v",
        "https://[2606:4700::1111]/v",
        "https://api.example.com/v",
        "http://127.0.0.1:8080/v",
        "https://10.0.0.5:8443/v",
    ],
)
def test_public_links_and_the_providers_own_are_followed(url: str) -> None:
    ANY.check(url)


def test_listed_hosts_narrow_what_is_followed() -> None:
    links = Links(OWN, frozenset({"cdn.example.net", "big.example.org:8443", ".example.edu"}))
    for good in (
        "https://cdn.example.net/v",
        "https://big.example.org:8443/v",
        "https://a.b.example.edu/v",
        "https://api.example.com/v",
    ):
        links.check(good)
    for bad in (
        "https://cdn.example.com/v",
        "https://x.cdn.example.net/v",
        "https://big.example.org/v",
        "https://example.edu.evil/v",
        "https://notexample.edu/v",
        "https://cdn.example.net:8443/v",
    ):
        with pytest.raises(DownloadError):
            links.check(bad)


def test_a_redirect_is_joined_checked_and_stripped_of_headers_elsewhere() -> None:
    request = Request(method="GET", url="https://api.example.com/a/b?c=d", headers={"Accept": "video/mp4"})
    near = ANY.redirected(request, "../v?x=1")
    assert (near.url, near.headers) == ("https://api.example.com/v?x=1", request.headers)
    far = ANY.redirected(request, "https://cdn.example.net/v%2F?s=%3D")
    assert (far.url, far.headers) == ("https://cdn.example.net/v%2F?s=%3D", {})
    assert ANY.redirected(request, "//cdn.example.net/v").url == "https://cdn.example.net/v"
    assert ANY.redirected(request, "/vidé").url == "https://api.example.com/vid%C3%A9"


@pytest.mark.parametrize(
    "location",
    [
        "http://api.example.com/v",
        "http://127.0.0.1:8080/v",
        "file:///etc/passwd",
        "https://10.0.0.1/v",
        "//127.0.0.1/v",
        "https://k:p@cdn.example.net/v",
        "https://①②⑦.0.0.1/v",
        "https://cdn.example.net/\udc80",
        "http://[::1",
        "javascript:alert(1)",
    ],
)
def test_a_redirect_that_leads_inside_or_out_of_https_is_refused(location: str) -> None:
    with pytest.raises(DownloadError) as caught:
        ANY.redirected(Request(method="GET", url="https://api.example.com/a"), location)
    assert caught.value.reason == "refused"


def test_links_are_shown_without_what_is_secret() -> None:
    assert shown("https://u:p@h.example/v?sig=s#f") == "https://h.example/v"


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_no_address_of_a_special_network_is_public() -> None:
    networks = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::1/128",
        "::ffff:10.0.0.0/104",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
    for text in networks:
        network = ipaddress.ip_network(text)
        for address in (network[0], network[network.num_addresses // 2], network[-1]):
            assert not is_public(str(address)), address
    assert not is_public("fe80::1%eth0")
    assert not is_public("not an address")


def test_the_guard_makes_sockets_for_public_addresses_only() -> None:
    guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443))).close()
    with pytest.raises(PermissionError):
        guarded_socket((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::ffff:127.0.0.1", 443, 0, 0)))
