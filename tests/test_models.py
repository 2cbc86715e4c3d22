"""Requests take what people have at hand, and values never change."""

from __future__ import annotations

import pickle
from pathlib import Path

import attrs
import pytest

from veo_async import (
    Expired,
    Failed,
    Filtered,
    Media,
    Outcome,
    Rejected,
    Result,
    Succeeded,
    Unknown,
    Video,
    VideoRequest,
    Withdrawn,
)

OUTCOMES: list[Outcome] = [
    Succeeded(result=Result(videos=(Video(uri="https://host/v.mp4"),))),
    Filtered(reasons=("violence",), count=1),
    Failed(reason="empty"),
    Expired(),
    Rejected(message="Input may not meet the guidelines."),
    Withdrawn(),
    Unknown(reason="crashed"),
]


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("boat.png", Media(path=Path("boat.png"))),
        (Path("boat.png"), Media(path=Path("boat.png"))),
        ("https://host/boat.png", Media(uri="https://host/boat.png")),
        ("gs://bucket/boat.png", Media(uri="gs://bucket/boat.png")),
        (b"\x89PNG", Media(data=b"\x89PNG")),
        (
            Media.from_file("boat.png", mime_type="image/png"),
            Media(path=Path("boat.png"), mime_type="image/png"),
        ),
    ],
)
def test_media_may_be_given_in_many_ways(given: str | Path | bytes | Media, media: Media) -> None:
    """A path, bytes, a URL or Media: wherever a request takes media."""
    assert VideoRequest("p", image=given).image == media
    assert VideoRequest("p", last_frame=given).last_frame == media
    assert VideoRequest("p", video=given).video == media
    assert VideoRequest("p", reference_images=[given, given]).reference_images == (media, media)


def test_a_windows_path_is_no_url() -> None:
    """One letter and a colon is a drive."""
    image = VideoRequest("p", image=r"C:\boat.png").image
    assert image is not None
    assert image.uri is None


def test_nothing_is_set_unless_it_is_given() -> None:
    """Every field but the prompt is None or empty."""
    request = VideoRequest("A paper boat")
    given = attrs.asdict(request, filter=lambda _, value: value not in (None, (), {}))
    assert given == {"prompt": "A paper boat", "priority": "normal"}


def test_only_the_prompt_has_a_place() -> None:
    """All other fields are named."""
    with pytest.raises(TypeError):
        VideoRequest("p", "veo-3.1")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(("given", "kept"), [(8, 8), ("8", 8), ("eight", "eight"), ("", ""), (None, None)])
def test_duration_is_the_same_as_text_and_as_number(given: int | str | None, kept: int | str | None) -> None:
    """What is no number is kept as it came, for the check of the request to name."""
    assert VideoRequest("p", duration_seconds=given).duration_seconds == kept


def test_a_request_does_not_share_what_it_was_given() -> None:
    """Changing the caller's own dictionaries afterwards changes no request."""
    labels = {"team": "a"}
    request = VideoRequest("p", labels=labels, extra=labels)
    labels["team"] = "b"
    assert request.labels == request.extra == {"team": "a"}


def test_a_request_cannot_be_changed() -> None:
    """A changed request is another request: `attrs.evolve` makes one."""
    request = VideoRequest("p")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.prompt = "q"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    assert attrs.evolve(request, prompt="q") == VideoRequest("q")


def test_content_is_not_poured_into_logs() -> None:
    """The text of a value says how much there is, not what."""
    assert repr(Media(data=bytes(70_000))).count("\\x00") == 0
    assert "<70000 bytes>" in repr(VideoRequest("p", image=bytes(70_000)))
    assert "<3 bytes>" in repr(Video(data=b"abc"))
    assert "secret" not in repr(Failed(raw={"secret": 1}))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_outcomes_tell_of_money_and_survive_pickle(outcome: Outcome) -> None:
    """Every outcome has `billed` and `raw`, and comes through pickle as it was."""
    assert outcome.billed in {"no", "yes", "unknown"}
    assert outcome.raw is None
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_outcomes_are_all_there() -> None:
    """These seven are the ways in which a job ends."""
    assert {type(outcome) for outcome in OUTCOMES} == set(Outcome.__args__)


def test_money_is_what_the_documents_say() -> None:
    """Charged on success only; what nobody answered stays open."""
    billed = {type(outcome).__name__: outcome.billed for outcome in OUTCOMES}
    assert billed == {
        "Succeeded": "yes",
        "Filtered": "no",
        "Failed": "unknown",
        "Expired": "unknown",
        "Rejected": "no",
        "Withdrawn": "no",
        "Unknown": "unknown",
    }
