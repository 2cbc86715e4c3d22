"""The rules both ledgers keep, on records alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.lifecycle import FINAL, TRANSITIONS, IllegalTransitionError, Move, State
from veo_async.errors import LedgerError
from veo_async.ledger.rules import crashed, moved, needed
from veo_async.models import Media, Result, Succeeded, Unknown, Video, VideoRequest

from .samples import job, move


@given(st.sampled_from(State), st.sampled_from(Move))
def test_moving_follows_the_table_and_counts_what_it_should(state: State, what: Move) -> None:
    record = job(state=state, attempts=3)
    change = move(record, what, 7.5, name="operations/1" if what is Move.STARTED else None)
    if what not in TRANSITIONS[state]:
        with pytest.raises(IllegalTransitionError):
            moved(record, change)
        return
    after = moved(record, change)
    assert after.state is TRANSITIONS[state][what]
    assert after.attempts == 3 + (what is Move.ARMED)
    assert (after.armed_at == 7.5) is (what is Move.ARMED)
    assert (after.accepted_at == 7.5) is (what is Move.STARTED)
    assert (after.finished_at == 7.5) is (after.state in FINAL)
    assert after.operation == change.operation


@given(st.sampled_from(sorted(set(Move) - {Move.STARTED})))
def test_what_is_said_of_an_operation_is_not_recorded_for_a_job_that_never_was_it(what: Move) -> None:
    """A check that finds another job's operation refused says nothing of what this one cost."""
    for state in State:
        with pytest.raises(IllegalTransitionError):
            moved(job(state=state), move(job(state=state), what, name="operations/1"))


def test_a_crash_makes_an_armed_job_unknown() -> None:
    after = moved(job(state=State.ARMED), crashed(job(state=State.ARMED), 7.5))
    assert after.state is State.UNKNOWN
    assert isinstance(after.outcome, Unknown)
    assert after.outcome.reason == "crashed"


def test_bytes_are_let_go_when_they_cannot_be_sent_again() -> None:
    """In memory a request may hold its media itself; of an accepted job only what it was is remembered."""
    picture = Media(data=b"picture", size=7, mime_type="image/png")
    request = VideoRequest("a boat", image=picture, reference_images=(picture, Media(uri="https://a/b")))
    armed = job(state=State.ARMED, request=request)
    assert moved(armed, crashed(armed, 7.5)).request is request
    assert moved(armed, move(armed, Move.NOT_STARTED)).request is request
    started = moved(armed, move(armed, Move.STARTED, name="operations/1")).request
    emptied = Media(size=7, mime_type="image/png")
    assert started == VideoRequest(
        "a boat", image=emptied, reference_images=(emptied, Media(uri="https://a/b"))
    )
    assert moved(armed, move(armed, Move.DECLINED)).request == started


def test_a_name_once_known_stays() -> None:
    record = job(state=State.RUNNING, operation="operations/1")
    with pytest.raises(LedgerError) as caught:
        moved(record, move(record, Move.EXPIRED, name="operations/2"))
    assert caught.value.operation == "operations/1"


@pytest.mark.parametrize("state", list(State))
def test_every_medium_of_a_request_is_needed_until_it_is_accepted(state: State) -> None:
    media = [Media(sha256=letter * 64) for letter in "abcdef"]
    request = VideoRequest(
        "boat",
        image=media[0],
        last_frame=media[1],
        video=media[2],
        reference_images=(media[3], media[4], Media(uri="https://pictures.example/1.png")),
    )
    kept = media[:5] if state in {"queued", "armed", "unknown"} else []
    assert needed(job(state=state, request=request)) == {medium.sha256 for medium in kept}


def test_inline_videos_are_needed_for_ever() -> None:
    videos = (Video(sha256="a" * 64), Video(uri="https://videos.example/1"))
    record = job(state=State.SUCCEEDED, outcome=Succeeded(result=Result(videos=videos)))
    assert needed(record) == {"a" * 64}
