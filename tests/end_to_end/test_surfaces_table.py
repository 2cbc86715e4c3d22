"""The table of requests and providers in `docs/providers.md`, proven cell by cell.

After a change of what a surface takes: `PYTHONPATH=. python tests/end_to_end/test_surfaces_table.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from veo_async import InvalidRequestError, PollPolicy, Provider, VeoSession, VideoRequest
from veo_async.emulator import Emulator

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
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


async def capabilities() -> dict[str, dict[str, str]]:
    """Return the rows that the capability records say."""
    rows: dict[str, dict[str, str]] = {}
    async with Emulator() as emulator:
        providers = {name: provider(name, emulator) for name in PROVIDERS}
    for name, made in providers.items():
        found = made.capabilities
        facts = {
            "pictures of this machine": "by `upload=`" if found.url_only_media else "sent along",
            "videos inside the answer": _yes(found.inline_videos),
            "lists operations": _yes(found.can_list),
            "default model": f"`{made.model_name(None)}`",
        }
        for fact, value in facts.items():
            rows.setdefault(fact, {})[name] = value
    return rows


def _yes(value: bool) -> str:
    return "yes" if value else "no"


async def table() -> str:
    """Return the table as it stands on the page."""
    columns = dict(zip(PROVIDERS, await asyncio.gather(*map(column, PROVIDERS)), strict=True))
    rows = await capabilities()
    kinds = list(columns[PROVIDERS[0]])
    lines = [_line("", PROVIDERS), _line("---", ["---"] * len(PROVIDERS))]
    lines += [_line(fact, [cells[name] for name in PROVIDERS]) for fact, cells in rows.items()]
    lines += [_line(kind, [columns[name][kind] for name in PROVIDERS]) for kind in kinds]
    return "\n".join(lines)


def _line(head: str, cells: list[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


async def test_every_cell_is_a_video_or_names_the_field() -> None:
    """The page says what the surfaces do: the emulator, which reads the wire for itself, proves each cell."""
    page = PAGE.read_text(encoding="utf-8")
    assert page.split(BEGIN)[1].split(END)[0].strip() == await table()


def write_page() -> None:
    """Put the table into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{asyncio.run(table())}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write_page()
