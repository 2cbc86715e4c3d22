"""Origins: one text for one place, and none for a URL that could be read in two ways."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async.errors import ConfigurationError
from veo_async.origins import is_loopback, origin_of, read_base_url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://gptproto.com", "https://gptproto.com"),
        ("https://gptproto.com/", "https://gptproto.com"),
        ("HTTPS://GPTProto.com:443/v1beta?x=1#y", "https://gptproto.com"),
        ("https://a.example:8443/b", "https://a.example:8443"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("https://a.example?b", "https://a.example"),
        ("https://a.example/@evil.example", "https://a.example"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    """Scheme, host, and the port where it is unusual."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example",
        "ftp://a.example",
        "file:///etc/passwd",
        "gs://b/f",
        "https://",
        "https:///a",
        "https://user@a.example",
        "https://user:pw@a.example/",
        "https://a.example\\@evil.example",
        "https://a.example\\evil",
        "https://a.ex ample",
        "https://a.example\n",
        "\thttps://a.example",
        "https://a.ex\tample",
        "https://é.example",
        "https://①②⑦.0.0.1",
        "https://a%2eexample",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:x",
        "https://a.example:٣",
        "https://[::1",
        "https://[v1.x]/",
        "https://-a.example",
        "https://a.example.:443x",
        "https:/a.example",
        "https:a.example",
        "https://a.example/a b",
        "https://a.example/a\nb",
    ],
)
def test_what_has_no_origin(url: str) -> None:
    """It is refused, not repaired."""
    with pytest.raises(ValueError, match="plain host"):
        origin_of(url)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=30) | st.text("htps:/@\\.[]?#%0a1\t ", max_size=20).map(lambda tail: f"https://a{tail}")
)
def test_no_text_raises_anything_else(url: str) -> None:
    """A URL has an origin or a ValueError, and an origin is its own origin."""
    try:
        origin = origin_of(url)
    except ValueError:
        return
    assert origin_of(origin) == origin


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("127.1", False),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """By its text alone: no name is looked up."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://gptproto.com", "https://gptproto.com"),
        ("https://GPTProto.com:443//", "https://gptproto.com"),
        ("https://a.example/Prefix/x/", "https://a.example/Prefix/x"),
        ("https://a.example/x/v1beta", "https://a.example/x"),
        ("https://a.example/v1beta/", "https://a.example"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:1/x", "http://localhost:1/x"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_base_urls(url: str, base: str) -> None:
    """In one form: without slashes or the version at the end."""
    assert read_base_url(url, "base_url", "v1beta") == base


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://gptproto.com", "use https://"),
        ("http://10.0.0.1:8080", "use https://"),
        ("https://a.example/?key=1", "query"),
        ("https://a.example#x", "query or fragment"),
        ("https://user:pw@a.example", "must be a URL"),
        ("gptproto.com", "must be a URL"),
        ("", "must be a URL"),
        (None, "must be a URL"),
        (b"https://a.example", "must be a URL"),
    ],
)
def test_base_urls_that_are_refused(url: object, words: str) -> None:
    """The error names the option and what to do, and never quotes what may be a password."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_base_url(url, "status_base_url")
    assert caught.value.message.startswith("status_base_url ")
    assert "pw" not in caught.value.message
