"""Keys: checked when they are set, shown nowhere, asked for once."""

from __future__ import annotations

import asyncio
import copy
import pickle
import traceback

import pytest

from veo_async.credentials import Credential, Secret
from veo_async.errors import ConfigurationError

KEY = "sk-0123456789abcdef"


def test_a_secret_shows_four_characters_at_most() -> None:
    """Enough to tell keys apart; of a short one nothing."""
    secret = Secret(KEY)
    assert [repr(secret), str(secret), f"{secret}"] == ["***cdef"] * 3
    assert repr(Secret("short")) == "***"
    assert secret.reveal() == KEY
    assert secret == Secret(KEY)
    assert secret != Secret("other")
    assert hash(secret) == hash(Secret(KEY))


@pytest.mark.parametrize("holder", [Secret(KEY), Credential(KEY, header="x")])
def test_a_secret_is_never_pickled_or_copied(holder: object) -> None:
    """The error says what to do instead."""
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="from_env"):
            leak(holder)


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        KEY + "\n",
        KEY + "\r\nX-Evil: 1",
        " " + KEY,
        "sk-0123 4567",
        "sk-é123456789",
        "sk-\uff11\uff12\uff13",
        "a\0b",
        "sk-***********",
        "<x-goog-api-key>",
        "{{YOUR_API_KEY}}",
        '"sk-0123456789"',
        "a\x7f",
    ],
)
def test_what_cannot_be_a_key(key: str) -> None:
    """It is refused at once, and not echoed: neither in the text nor in what hangs on the error."""
    with pytest.raises(ConfigurationError) as caught:
        Credential(key, header="x-goog-api-key")
    if len(key) > 4:
        assert key.strip() not in str(caught.value)
        assert "012345" not in repr(caught.value.__dict__) + repr(caught.value.args)


@pytest.mark.parametrize("key", [None, 7, b"sk-0123456789"])
def test_a_key_is_a_string(key: object) -> None:
    """Bytes and None are told by their type."""
    with pytest.raises(ConfigurationError, match="must be a string"):
        Credential(key, header="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.anyio
async def test_headers_of_a_key() -> None:
    """In the header of the surface, with its prefix; a fixed key stays the same when asked anew."""
    assert await Credential(KEY, header="x-goog-api-key").headers() == {"x-goog-api-key": KEY}
    bearer = Credential(KEY, header="Authorization", prefix="Bearer ")
    assert await bearer.headers(refresh=True) == {"Authorization": f"Bearer {KEY}"}
    assert not bearer.refreshable


class Source:
    """Gives out key-1, key-2, …, once it is let."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> str:
        self.calls += 1
        self.asked.set()
        call = self.calls
        await self.gate.wait()
        return f"key-{call}-0123456789"


@pytest.mark.anyio
async def test_a_callable_is_asked_when_needed() -> None:
    """Once for the first headers, and once for each refresh."""
    source = Source()
    credential = Credential(source, header="x")
    assert credential.refreshable
    assert source.calls == 0
    assert await credential.headers() == {"x": "key-1-0123456789"}
    assert await credential.headers() == {"x": "key-1-0123456789"}
    assert await credential.headers(refresh=True) == {"x": "key-2-0123456789"}
    assert source.calls == 2


@pytest.mark.anyio
@pytest.mark.parametrize("refresh", [True, False])
async def test_all_that_ask_at_once_share_one_call(refresh: bool) -> None:
    """A hundred refused checks are one refresh."""
    source = Source()
    credential = Credential(source, header="x")
    if refresh:
        await credential.headers()
    before = source.calls
    source.asked.clear()
    source.gate.clear()
    tasks = [asyncio.create_task(credential.headers(refresh=refresh)) for _ in range(100)]
    await source.asked.wait()
    source.gate.set()
    assert len({str(headers) for headers in await asyncio.gather(*tasks)}) == 1
    assert source.calls - before == 1


@pytest.mark.anyio
async def test_cancelling_who_asks_leaves_the_others_served() -> None:
    """The next in line asks instead."""
    source = Source()
    credential = Credential(source, header="x")
    source.gate.clear()
    first, second = (asyncio.create_task(credential.headers()) for _ in range(2))
    await source.asked.wait()
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await second == {"x": "key-2-0123456789"}
    assert first.cancelled()


def test_a_credential_serves_one_loop_after_another() -> None:
    """A provider may outlive the loop it was first used in."""
    source: list[str] = []

    async def key() -> str:
        source.append("call")
        await asyncio.sleep(0)
        return KEY

    credential = Credential(key, header="x")

    async def contend() -> None:
        await asyncio.gather(*(credential.headers(refresh=True) for _ in range(5)))

    asyncio.run(contend())
    asyncio.run(contend())
    assert len(source) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["", "a b", None, 7])
async def test_an_odd_key_of_a_callable_is_refused(answer: object) -> None:
    """It is checked as any key is, and the last good one stays."""
    answers: list[object] = ["good-0123456789", answer]

    async def key() -> str:
        return answers.pop(0)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    credential = Credential(key, header="x")
    await credential.headers()
    with pytest.raises(ConfigurationError):
        await credential.headers(refresh=True)
    assert await credential.headers() == {"x": "good-0123456789"}


@pytest.mark.anyio
async def test_a_failing_callable_is_told_by_its_type() -> None:
    """What it raised may hold what it signed in with: nothing of it hangs on the error."""

    async def key() -> str:
        raise RuntimeError(KEY)

    with pytest.raises(ConfigurationError, match="failed with RuntimeError") as caught:
        await Credential(key, header="x").headers()
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert KEY not in "".join(traceback.format_exception(error))
    assert repr(Credential(key, header="x")) == "<asked for>"
