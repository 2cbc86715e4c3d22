"""The tables in `docs/providers.md`: what requests come to, proven cell by cell, and what providers can do.

After a change of what a surface takes: `PYTHONPATH=. python tests/end_to_end/test_surfaces_table.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import pytest

from veo_async import Capabilities, InvalidRequestError, PollPolicy, Provider, VeoSession, VideoRequest
from veo_async.emulator import Emulator

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
REQUESTS, CAPABILITIES = "requests", "capabilities"
"""The tables, by the names in the comments around them."""
PICTURE = ROOT / "examples" / "boat.png"
URL = "https://pictures.example/boat.png"
PROVIDERS = ["gptproto", "gptproto-v3", "unified", "vertex", "openai-videos"]


def provider(name: str, emulator: Emulator) -> Provider:
    """Return a provider of each surface at the emulator."""
    key, where = emulator.key, emulator.base_url
    made: Mapping[str, Callable[[], Provider]] = {
        "gptproto": lambda: Provider.gptproto(api_key=key, base_url=where),
        "gptproto-v3": lambda: Provider.gptproto_v3(api_key=key, base_url=where),
        "unified": lambda: Provider.unified(api_key=key, base_url=where),
        "vertex": lambda: Provider.vertex(
            project="my-project", location="us-central1", token=key, base_url=where
        ),
        "openai-videos": lambda: Provider.openai_videos(api_key=key, base_url=where),
    }
    return made[name]()


def requests(own_video: str) -> dict[str, VideoRequest]:
    """Return a request of each kind; `own_video` is what the provider made earlier."""
    return {
        "a prompt": VideoRequest("boat"),
        "`image`, a file": VideoRequest("boat", image=PICTURE),
        "`image`, a URL": VideoRequest("boat", image=URL),
        "`image` in a bucket": VideoRequest("boat", image="gs://bucket/boat.png"),
        "`last_frame`, a file": VideoRequest("boat", image=PICTURE, last_frame=PICTURE),
        "`last_frame`, a URL": VideoRequest("boat", image=URL, last_frame=URL),
        "`reference_images`, files": VideoRequest("boat", reference_images=[PICTURE, PICTURE]),
        "`reference_images`, URLs": VideoRequest("boat", reference_images=[URL]),
        "`video` to extend": VideoRequest("boat", video=own_video),
        "`aspect_ratio`": VideoRequest("boat", aspect_ratio="9:16"),
        "`resolution`": VideoRequest("boat", resolution="1080p", duration_seconds=8),
        "`duration_seconds`": VideoRequest("boat", duration_seconds=4),
        "`negative_prompt`": VideoRequest("boat", negative_prompt="rain"),
        "`person_generation`": VideoRequest("boat", person_generation="allow_adult"),
        "`enhance_prompt`": VideoRequest("boat", enhance_prompt=True),
        "`seed`": VideoRequest("boat", seed=7),
        "`sample_count`": VideoRequest("boat", model="veo-2", sample_count=2, duration_seconds=8),
        "`generate_audio`": VideoRequest("boat", generate_audio=True),
        "`storage_uri`": VideoRequest("boat", storage_uri="gs://bucket/folder/"),
    }


async def cell(session: VeoSession, request: VideoRequest) -> str:
    """Return "video" or the field that is refused before anything is sent; everything else is raised."""
    try:
        result = await session.generate(request, timeout=30)
    except InvalidRequestError as error:
        return f"`{(error.field or '').split('[')[0]}`"
    assert len(result.videos) == (request.sample_count or 1)
    return "video"


async def column(name: str) -> dict[str, str]:
    """Return the cells of one provider."""
    async with Emulator(waiting=0.05, clip="tiny") as emulator:
        poll = PollPolicy(expected=0.1, min_interval=0.05)
        async with VeoSession(provider(name, emulator), poll=poll) as session:
            first = (await session.generate(VideoRequest("boat"))).videos[0].uri
            own = first if name != "vertex" else "gs://bucket/boat.mp4"
            assert own is not None
            return {kind: await cell(session, request) for kind, request in requests(own).items()}


async def facts() -> dict[str, dict[str, str]]:
    """Return the rows that the providers say without being asked over the wire."""
    rows: dict[str, dict[str, str]] = {"pictures of this machine": {}, "default model": {}}
    async with Emulator() as emulator:
        for name in PROVIDERS:
            made = provider(name, emulator)
            by_url = made.capabilities.url_only_media
            rows["pictures of this machine"][name] = "by `upload=`" if by_url else "sent along"
            rows["default model"][name] = f"`{made.model_name(None)}`"
    return rows


async def request_table() -> str:
    """Return the table of requests as it stands on the page."""
    columns = dict(zip(PROVIDERS, await asyncio.gather(*map(column, PROVIDERS)), strict=True))
    rows = await facts()
    kinds = list(columns[PROVIDERS[0]])
    lines = [_line("", PROVIDERS), _line("---", ["---"] * len(PROVIDERS))]
    lines += [_line(fact, [cells[name] for name in PROVIDERS]) for fact, cells in rows.items()]
    lines += [_line(kind, [columns[name][kind] for name in PROVIDERS]) for kind in kinds]
    return "\n".join(lines)


def capability_table() -> str:
    """Return the table of the capability records: one row for each field that there is."""
    key, own = "sk-of-your-account", "https://gateway.example"
    records = {
        "gemini": Provider.gemini(api_key=key, base_url=own),
        "gptproto": Provider.gptproto(api_key=key),
        "gptproto-v3": Provider.gptproto_v3(api_key=key),
        "unified": Provider.unified(api_key=key),
        "vertex": Provider.vertex(project="my-project", location="us-central1", token=key),
        "openai-videos": Provider.openai_videos(api_key=key, base_url=own),
    }
    lines = [_line("", list(records)), _line("---", ["---"] * len(records))]
    for field in attrs.fields(Capabilities):
        values = [getattr(made.capabilities, field.name) for made in records.values()]
        lines.append(_line(f"`{field.name}`", [_cell(value) for value in values]))
    return "\n".join(lines)


def _cell(value: bool | str | frozenset[str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"`{value}`"
    return ", ".join(f"`{origin}`" for origin in sorted(value)) or "any public host"


def _line(head: str, cells: list[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


async def test_every_cell_is_a_video_or_names_the_field() -> None:
    """The page says what the surfaces do: the emulator, which reads the wire for itself, proves each cell."""
    assert on_page(REQUESTS) == await request_table()


async def test_the_page_has_the_capability_records() -> None:
    """Every field of every provider's record stands on the page as the program has it."""
    assert on_page(CAPABILITIES) == capability_table()


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"


def on_page(name: str) -> str:
    """Return a table as it stands on the page."""
    begin, end = _marks(name)
    return PAGE.read_text(encoding="utf-8").split(begin)[1].split(end)[0]


def write_page() -> None:
    """Put the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, table in ((REQUESTS, asyncio.run(request_table())), (CAPABILITIES, capability_table())):
        begin, end = _marks(name)
        before, rest = page.split(begin)
        page = f"{before}{begin}{table}{end}{rest.split(end)[1]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write_page()
