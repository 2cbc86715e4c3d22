"""Which links may be followed. Pure; the socket's guard looks again at the address a name leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen
from yarl import URL

from veo_async.download.policy import problem
from veo_async.origins import origin_of
from veo_async.transport.addresses import is_public, literal_address, looks_numeric
from veo_async.transport.redaction import escaped
from veo_async.wire import Request

__all__ = ["Links", "shown"]

_HTTPS_PORT = 443
_MAX_URL = 8192
_NOT_PLAIN = re.compile(r"[^!-~]|[\\<>\"^`{|}]")
_HOST = re.compile(r"(?i)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?\Z")
_OTHER_SCHEMES = {
    "gs": "it names an object in Cloud Storage; copy it with `gcloud storage cp`, or let rewrite_uri= of the "
    "provider return a signed https:// link, or leave storage_uri out: then the video comes with the answer"
}
_INSIDE = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")


def shown(url: str) -> str:
    """Return scheme, host and path of `url`: a signed link's query is a secret."""
    return escaped(re.sub(r"//[^/?#]*@", "//", url.split("?", 1)[0].split("#", 1)[0]), 200)


@frozen
class Links:
    """Says which links a download may follow, and how."""

    own: frozenset[str]
    """The provider's own origins, which may be private."""
    hosts: frozenset[str]
    """The other hosts that may be asked; empty: any public one."""

    def check(self, url: str) -> None:
        """Refuse a link that may not be followed.

        Raises:
            DownloadError: With `reason` "refused".
        """
        complaint = self._complaint(url)
        if complaint is not None:
            raise problem("refused", f"The link {shown(url)!r} is not followed: {complaint}.")

    def redirected(self, request: Request, location: str) -> Request:
        """Return the request that follows `request` after a redirect to `location`.

        Raises:
            DownloadError: With `reason` "refused".
        """
        url = _joined(request.url, location)
        self.check(url)
        if request.url.startswith("https:") and not url.startswith("https:"):
            raise problem("refused", f"The redirect to {shown(url)!r} is not followed: it leaves HTTPS.")
        same = URL(url, encoded=True).origin() == URL(request.url, encoded=True).origin()
        headers: Mapping[str, str] = request.headers if same else {}
        return Request(method="GET", url=url, headers=headers, keyless=request.keyless)

    def _complaint(self, url: str) -> str | None:
        parts = _parsed(url)
        if parts is None:
            return "it is not a plain URL"
        if "@" in parts.raw_authority:
            return "there is a user name in it"
        if self._owns(url):
            return None
        if parts.scheme != "https":
            return _OTHER_SCHEMES.get(parts.scheme, "only https:// is")
        return self._host_complaint((parts.raw_host or "").lower().rstrip("."), parts.port)

    def _owns(self, url: str) -> bool:
        try:
            return origin_of(url) in self.own
        except ValueError:
            return False

    def _host_complaint(self, host: str, port: int | None) -> str | None:
        address = literal_address(host)
        if address is None and (_HOST.match(host) is None or looks_numeric(host)):
            return "its host is not a plain name"
        if address is not None and not is_public(host):
            return "its address is not a public one"
        if address is None and ("." not in host or host.endswith(_INSIDE)):
            return "its host is not a public one"
        if port != _HTTPS_PORT and f"{host}:{port}" not in self.hosts:
            return f"port {port} is not the usual one"
        if self.hosts and not self._is_listed(host, port):
            return "its host is not among the provider's download_hosts"
        return None

    def _is_listed(self, host: str, port: int | None) -> bool:
        if host in self.hosts or f"{host}:{port}" in self.hosts:
            return True
        return any(entry.startswith(".") and host.endswith(entry) for entry in self.hosts)


def _parsed(url: str) -> URL | None:
    if len(url) > _MAX_URL or _NOT_PLAIN.search(url):
        return None
    try:
        parts = URL(url, encoded=True)
        usable = parts.port != 0  # a port that is no number raises here
    except ValueError:
        return None
    return parts if usable else None


def _joined(url: str, location: str) -> str:
    try:
        location.encode()  # what is not UTF-8 raises here
        # A few servers send raw UTF-8, which is quoted; not in a host, which `check` then refuses.
        return str(URL(url, encoded=True).join(URL(location, encoded=location.isascii())))
    except ValueError:
        pass
    raise problem("refused", f"The redirect to {shown(location)!r} is not followed: it is not a plain URL.")
