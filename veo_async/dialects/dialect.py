"""The small protocol that every surface implements. No other floor asks which dialect it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from veo_async.answers import CheckAnswer, Listed, Refused, SubmitAnswer, Unreadable
from veo_async.models import Problem, VideoRequest
from veo_async.wire import Request, Response

__all__ = ["Capabilities", "Dialect", "Problem"]


@frozen(kw_only=True)
class Capabilities:
    """What a service can do and where it is, so that nobody needs to ask which one it is.

    `provider.capabilities` is whole. What a dialect says of its surface leaves out the header and the places.
    """

    can_list: bool = False
    """Answers one request with many operations."""
    webhook: bool = False
    """Has a place for an address to call when a video is done: `extra={"webhookConfig": {"uris": […]}}`."""
    inline_videos: bool = False
    """May put a video's bytes into the answer."""
    url_only_media: bool = False
    """Takes pictures as URLs only: those of this machine need the provider's `upload=`."""
    duration_as_string: bool = False
    """Wants the duration as a JSON string."""
    key_header: str = ""
    """Header that carries the key."""
    submit_origin: str = ""
    """Scheme, host and port that requests for videos go to."""
    status_origin: str = ""
    """Scheme, host and port that operations are checked at."""
    credential_origins: frozenset[str] = frozenset()
    """The only origins that ever get the key."""
    download_hosts: frozenset[str] = frozenset()
    """Hosts that videos may be fetched from; empty: any public host."""


class Dialect(Protocol):
    """How one surface writes requests and reads answers. Pure: no clock, no I/O, no randomness."""

    @property
    def capabilities(self) -> Capabilities:
        """What this surface can do; where it is, its provider adds."""
        ...

    def problems(self, request: VideoRequest, model: str) -> Sequence[Problem]:
        """Return all that forbids sending `request` to `model`; empty when it can be sent."""
        ...

    def submit(self, request: VideoRequest, model: str, *, duration_as_string: bool = False) -> Request:
        """Encode a submit; media of `request` are bytes of known size and type, or URIs."""
        ...

    def read_submit(self, response: Response, model: str, /) -> SubmitAnswer:
        """Decode the answer to a submit to `model`."""
        ...

    def check(self, operation: str) -> Request:
        """Encode a status check of one operation."""
        ...

    def read_check(
        self, response: Response, operation: str, request: VideoRequest | None = None, /
    ) -> CheckAnswer:
        """Decode the answer to a check of `operation`.

        Args:
            response: The answer.
            operation: What was asked for.
            request: What it was submitted with, where that is known: some answers are the end of a job only
                if no more was asked.
        """
        ...

    def list_page(self, model: str, page_token: str | None) -> Request:
        """Encode a request for a page of the operations of `model`; only where `can_list`."""
        ...

    def read_list(
        self, response: Response, model: str, wanted: Callable[[str], bool] | None = None
    ) -> Listed | Refused | Unreadable:
        """Decode a page of operations.

        Args:
            response: The answer.
            model: Whose operations were asked for.
            wanted: Says whether somebody waits for an operation, by its full name: one that has ended and
                that nobody waits for may be left out, and when operations were created. None: nothing is.
        """
        ...

    def operation_name(self, given: str, model: str | None) -> str:
        """Return the full name of an operation that somebody names, `model` filling in what is left out.

        Raises:
            InvalidRequestError: `given` is no operation name here, or needs a model.
        """
        ...

    def model_of(self, operation: str) -> str | None:
        """Return the model that a full operation name speaks of; None where names say none."""
        ...

    def download(self, uri: str) -> Sequence[Request]:
        """Encode the requests for a video's bytes, to be tried in order while they answer 404."""
        ...
