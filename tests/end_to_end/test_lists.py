"""One list request in place of a hundred status checks, over real HTTP, counted at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from attrs import evolve

from veo_async import Limits, PollPolicy, Provider, Rate, Succeeded, VeoSession, VideoRequest
from veo_async.emulator import Emulator, Fault, OpenAIShape, Waiting

pytestmark = pytest.mark.anyio

LIMITS = Limits(submits=Rate(1000, per=1), checks=Rate(400, per=1))
# Waiting times a thirtieth of the real ones, so that a test lasts seconds.
POLL = PollPolicy(expected=2.0, spread=0.3, min_interval=0.25, max_interval=1.0, check_worth=0.02)
WAITING = Waiting.uniform(1.0, 3.0)
JOBS = 100

Make = Callable[[Emulator], Provider]


def gemini(emulator: Emulator) -> Provider:
    return Provider.gemini(api_key=emulator.key, base_url=emulator.base_url, can_list=True, limits=LIMITS)


def openai(emulator: Emulator) -> Provider:
    return Provider.openai_videos(
        api_key=emulator.key, base_url=emulator.base_url, can_list=True, limits=LIMITS
    )


def serving(**options: object) -> Emulator:
    settings: dict[str, object] = {"waiting": WAITING, "clip": "tiny", "can_list": True, **options}
    return Emulator(**settings)  # type: ignore[arg-type]


async def all_succeed(
    emulator: Emulator, make: Make, poll: PollPolicy = POLL, jobs: int = JOBS
) -> VeoSession:
    """Run so many jobs to their good end."""
    async with VeoSession(make(emulator), poll=poll) as veo:
        outcomes = await asyncio.gather(
            *(one_outcome(veo, f"boat {number}", make is openai) for number in range(jobs))
        )
    assert {type(outcome) for outcome in outcomes} == {Succeeded}
    assert len(emulator.bill) == jobs
    return veo


async def one_outcome(veo: VeoSession, prompt: str, sized: bool) -> object:
    request = VideoRequest(prompt, resolution="720p", aspect_ratio="16:9") if sized else VideoRequest(prompt)
    return await (await veo.enqueue(request)).outcome()


@pytest.mark.parametrize("make", [gemini, openai])
async def test_a_hundred_operations_are_served_by_one_list_a_tick(make: Make) -> None:
    """No single check but for the last few, which a list answers no better."""
    async with serving() as emulator:
        await all_succeed(emulator, make)
        lists, checks = emulator.requests.count("list"), emulator.requests.count("check")
        assert 4 <= lists <= 30
        assert checks <= 10


async def test_without_lists_the_same_jobs_take_ten_times_the_requests() -> None:
    async with serving() as emulator:
        await all_succeed(emulator, gemini, evolve(POLL, use_list=False))
        assert emulator.requests.count("list") == 0
        assert emulator.requests.count("check") >= 3 * JOBS


@pytest.mark.parametrize("make", [gemini, openai])
async def test_short_pages_are_turned(make: Make) -> None:
    shape = OpenAIShape(list_page_size=20)
    async with serving(list_page_size=20, openai_videos=shape) as emulator:
        await all_succeed(emulator, make)
        assert emulator.requests.count("list") >= 10
        assert emulator.requests.count("check") <= 40


@pytest.mark.parametrize("make", [gemini, openai])
async def test_where_there_are_no_lists_one_request_finds_it_out(make: Make) -> None:
    async with serving(can_list=False, openai_videos=OpenAIShape(can_list=False)) as emulator:
        await all_succeed(emulator, make, jobs=40)
        assert emulator.requests.count("list") == 1


@pytest.mark.parametrize("fault", [Fault.html(status=405), Fault.html(status=200), Fault.forbidden()])
async def test_lists_that_cannot_be_read_are_asked_for_once(fault: Fault) -> None:
    async with serving() as emulator:
        emulator.faults.add("list", fault)
        await all_succeed(emulator, gemini, jobs=40)
        assert emulator.requests.count("list") == 1


@pytest.mark.parametrize("fault", [Fault.overloaded(), Fault.close()])
async def test_lists_that_fail_leave_it_to_single_checks(fault: Fault) -> None:
    async with serving() as emulator:
        emulator.faults.add("list", fault)
        await all_succeed(emulator, gemini, jobs=40)
        assert 1 <= emulator.requests.count("list") <= 2


async def test_a_list_that_omits_how_jobs_ended_sends_each_to_its_own_check() -> None:
    async with serving(list_omits_response=True) as emulator:
        await all_succeed(emulator, gemini)
        assert emulator.requests.count("list") >= 2
        assert JOBS <= emulator.requests.count("check") <= 3 * JOBS


async def test_oldest_first_behind_pages_of_finished_ones_lists_rest() -> None:
    async with serving(list_oldest_first=True, list_page_size=20, waiting=0.5) as emulator:
        await all_succeed(emulator, gemini, jobs=40)
        emulator.requests.clear()
        async with VeoSession(gemini(emulator), poll=POLL) as veo:
            outcomes = await asyncio.gather(*(one_outcome(veo, f"late boat {n}", False) for n in range(40)))
        assert {type(outcome) for outcome in outcomes} == {Succeeded}
        assert emulator.requests.count("list") == 1
        assert emulator.requests.count("check") >= 40


async def test_foreign_operations_in_a_page_are_nobodys_news() -> None:
    async with serving() as emulator:
        async with VeoSession(gemini(emulator), poll=POLL, on_exit="abort") as other:
            for number in range(30):
                await other.submit(VideoRequest(f"theirs {number}"))
        async with VeoSession(gemini(emulator), poll=POLL) as veo:
            outcomes = await asyncio.gather(*(one_outcome(veo, f"boat {n}", False) for n in range(40)))
            assert {type(outcome) for outcome in outcomes} == {Succeeded}
            assert veo.statistics().late_answers == 0
            assert len(veo.jobs) == 40
