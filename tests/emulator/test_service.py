"""The service without HTTP: what is drawn, what is kept, what is billed."""

import threading
from pathlib import Path

import pytest
from attrs import evolve

from veo_async.emulator.bill import Bill
from veo_async.emulator.fates import MARKERS, Ending
from veo_async.emulator.jobs import Job, SQLiteStore, Ticket
from veo_async.emulator.models import estimate_usd
from veo_async.emulator.orders import Order, Segment
from veo_async.emulator.refusals import Refusal, RefusedError
from veo_async.emulator.service import Service, Terms
from veo_async.emulator.waiting import Waiting


def order(prompt: str, digest: str = "", samples: int = 1) -> Order:
    return Order(
        model="veo-3.1",
        prompt=prompt,
        resolution="720p",
        width=1280,
        height=720,
        segments=(Segment(prompt=prompt, seconds=8),),
        samples=samples,
        digest=digest or prompt,
        request={"instances": [{"prompt": prompt}]},
    )


def issue(order: Order, job_id: str, _: float) -> Ticket:
    operation = f"models/{order.model}/operations/{job_id}"
    return Ticket(surface="gemini", handle=job_id, operation=operation)


def service(seed: int = 0, **shares: float) -> Service:
    terms = Terms(seed=seed, waiting=Waiting(median=3.0, sigma=0.5), **shares)
    return Service(terms, lambda: 1000.0)


def drawn(jobs: list[Job]) -> dict[tuple[str, int], tuple[float, Ending]]:
    return {(job.order.digest, job.occurrence): (job.ready_at, job.fate.ending) for job in jobs}


def test_draws_don_t_depend_on_the_order_of_arrival() -> None:
    """The same orders, forwards and backwards, repeated ones included: the same waits and fates."""
    prompts = [f"Boat {number}" for number in range(50)] + ["Boat 1", "Boat 1"]
    runs = [
        drawn([one.accept(order(prompt), (), "key-1", issue) for prompt in prompts_of_run])
        for one, prompts_of_run in (
            (service(filter_share=0.3), prompts),
            (service(filter_share=0.3), prompts[::-1]),
        )
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 52
    assert len(set(runs[0].values())) == 52


def test_another_seed_draws_otherwise_and_ids_never_repeat() -> None:
    """Ids are unlike in every run, as with a real service."""
    one, other = service(1), service(2)
    first, second = (each.accept(order("A"), (), "key-1", issue) for each in (one, other))
    assert first.ready_at != second.ready_at
    assert first.id != service(1).accept(order("A"), (), "key-1", issue).id


def test_shares_are_kept_roughly() -> None:
    """A fifth filtered, a tenth failed."""
    here = service(filter_share=0.2, failure_share=0.1)
    endings = [here.accept(order(f"Boat {number}"), (), "k", issue).fate.ending for number in range(1000)]
    assert 150 < endings.count(Ending.FILTERED) < 250
    assert 60 < endings.count(Ending.FAILED) < 140


def test_markers_win_over_shares() -> None:
    """In any case, anywhere in the prompt."""
    here = service(failure_share=1.0)
    for marker, fate in MARKERS.items():
        if fate.ending is not Ending.REFUSED:
            assert here.accept(order(f"a {marker.upper()} b"), (), "k", issue).fate == fate
    with pytest.raises(RefusedError) as caught:
        here.accept(order("refuse-policy"), (), "k", issue)
    assert caught.value.refusal is Refusal.POLICY


def test_a_failed_upsampling_leaves_the_small_video() -> None:
    """720p in the asked shape; without upsampling the marker changes nothing."""
    here = service()
    tall = evolve(order("fail-upsampling"), width=1080, height=1920)
    enlarged = evolve(tall, upsampling=True, digest="other")
    clips = [here.accept(one, (), "k", issue).clip(0) for one in (tall, enlarged)]
    assert [(clip.width, clip.height) for clip in clips] == [(1080, 1920), (720, 1280)]


def test_concurrent_threads_lose_nothing() -> None:
    """Every acceptance counted, every occurrence its own."""
    here = service()

    def work() -> None:
        for _ in range(100):
            here.accept(order("A"), (), "k", issue)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.occurrence for job in here.jobs) == list(range(1, 401))


def test_jobs_media_and_ready_times_survive_in_a_file(tmp_path: Path) -> None:
    """Committed on acceptance: a second service sees them without the first being closed."""
    terms = Terms(waiting=Waiting.fixed(60.0))
    path = tmp_path / "folder" / "emulator.db"
    first = Service(terms, lambda: 1000.0, SQLiteStore(path))
    shown = evolve(order("A", samples=2), segments=(Segment(prompt="A", seconds=8, image="x", seed=3),))
    job = first.accept(shown, (b"image",), "key-1", issue)
    second = Service(terms, lambda: 1000.0, SQLiteStore(path))
    assert second.jobs == [job]
    digest = "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
    assert second.media(digest) == b"image"
    assert second.accept(order("A"), (), "key-1", issue).occurrence == 2
    assert second.finish_all() == 2
    third = Service(terms, lambda: 1000.0, SQLiteStore(path))
    assert [one.done(1000.0) for one in third.jobs] == [True, True]
    for each in (first, second, third):
        each.close()


def test_a_job_is_found_by_its_surface_and_handle_alone() -> None:
    """Not by its own id where a surface hands out another, nor through another surface."""
    here = service()

    def vertex(_: Order, __: str, ___: float) -> Ticket:
        return Ticket(surface="vertex", handle="long/name", operation="long/name")

    job = here.accept(order("A"), (), "key-1", vertex)
    here.accept(order("B"), (), "key-1", issue)
    assert here.find("vertex", "long/name") == job
    assert here.listed("vertex") == [job]
    for surface, handle in (("gemini", "long/name"), ("vertex", job.id)):
        with pytest.raises(RefusedError):
            here.find(surface, handle)  # type: ignore[arg-type]
    assert [entry.surface for entry in Bill(lambda: here.jobs, lambda: 1000.0)] == ["vertex", "gemini"]


def test_the_bill_counts_by_prompt_and_digest() -> None:
    """How often, what it costs, and what was accepted twice."""
    here = service()
    bill = Bill(lambda: here.jobs, lambda: 1000.0)
    for prompt in ("A", "B", "A", "forbidden"):
        here.accept(order(prompt), (), "key-1", issue)
    assert (len(bill), bill.times(prompt="A"), bill.times(digest="B"), bill.times(prompt="C")) == (4, 2, 1, 0)
    assert bill.times(prompt="A", digest="B") == 0
    assert bill.doubled == {"A": 2}
    assert [entry.billed for entry in bill] == ["pending"] * 4
    assert bill.total == 0
    here.finish_all()
    assert [entry.billed for entry in bill] == ["yes", "yes", "yes", "no"]
    assert bill.total == pytest.approx(3 * 8 * 0.40)
    assert bill.operations == tuple(f"models/veo-3.1/operations/{job.id}" for job in here.jobs)
    assert [entry.occurrence for entry in bill] == [1, 1, 2, 1]
    with pytest.raises(ValueError, match="prompt="):
        bill.times()


def test_estimates_follow_the_price_table() -> None:
    """By family and resolution; unknown Veo models at the highest known price."""
    assert estimate_usd("veo-3.1-fast-generate-preview", "1080p", 8) == pytest.approx(0.96)
    assert estimate_usd("veo-3.1-lite", "720p", 4) == pytest.approx(0.20)
    assert estimate_usd("veo-2.0-generate-001", "720p", 5) == pytest.approx(1.75)
    assert estimate_usd("veo-7", "4k", 8) == pytest.approx(4.80)
