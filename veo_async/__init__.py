"""Generate many Veo videos at once: one async session, one shared poll scheduler, no job lost or paid twice.

Start with `VeoSession`, `VideoRequest` and `Provider`; the README shows the smallest program.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from veo_async.dialects.dialect import Capabilities as Capabilities
    from veo_async.engine.scheduler import PollScheduler as PollScheduler
    from veo_async.errors import AuthenticationError as AuthenticationError
    from veo_async.errors import BudgetExceededError as BudgetExceededError
    from veo_async.errors import ConfigurationError as ConfigurationError
    from veo_async.errors import ContentBlockedError as ContentBlockedError
    from veo_async.errors import DownloadError as DownloadError
    from veo_async.errors import InsufficientBalanceError as InsufficientBalanceError
    from veo_async.errors import InvalidRequestError as InvalidRequestError
    from veo_async.errors import LedgerError as LedgerError
    from veo_async.errors import NotSentError as NotSentError
    from veo_async.errors import OperationError as OperationError
    from veo_async.errors import OperationExpiredError as OperationExpiredError
    from veo_async.errors import OperationFailedError as OperationFailedError
    from veo_async.errors import OperationFilteredError as OperationFilteredError
    from veo_async.errors import OperationStalledError as OperationStalledError
    from veo_async.errors import OutcomeUnknownError as OutcomeUnknownError
    from veo_async.errors import ProtocolError as ProtocolError
    from veo_async.errors import QuotaExhaustedError as QuotaExhaustedError
    from veo_async.errors import RateLimitError as RateLimitError
    from veo_async.errors import RejectedError as RejectedError
    from veo_async.errors import SessionClosedError as SessionClosedError
    from veo_async.errors import SubmitError as SubmitError
    from veo_async.errors import VeoError as VeoError
    from veo_async.errors import WaitTimeoutError as WaitTimeoutError
    from veo_async.job import Job as Job
    from veo_async.job import JobEvent as JobEvent
    from veo_async.models import Eta as Eta
    from veo_async.models import Expired as Expired
    from veo_async.models import Failed as Failed
    from veo_async.models import Filtered as Filtered
    from veo_async.models import Media as Media
    from veo_async.models import Outcome as Outcome
    from veo_async.models import Rejected as Rejected
    from veo_async.models import Result as Result
    from veo_async.models import Succeeded as Succeeded
    from veo_async.models import Unknown as Unknown
    from veo_async.models import Video as Video
    from veo_async.models import VideoRequest as VideoRequest
    from veo_async.models import Withdrawn as Withdrawn
    from veo_async.options import Limits as Limits
    from veo_async.options import PollPolicy as PollPolicy
    from veo_async.options import Rate as Rate
    from veo_async.options import RetryPolicy as RetryPolicy
    from veo_async.options import Timeouts as Timeouts
    from veo_async.providers import Provider as Provider
    from veo_async.session.batching import Item as Item
    from veo_async.session.events import CheckAnswered as CheckAnswered
    from veo_async.session.events import Dropped as Dropped
    from veo_async.session.events import JobMoved as JobMoved
    from veo_async.session.events import Lifted as Lifted
    from veo_async.session.events import ListAnswered as ListAnswered
    from veo_async.session.events import Paused as Paused
    from veo_async.session.events import RateChanged as RateChanged
    from veo_async.session.events import SessionEvent as SessionEvent
    from veo_async.session.events import VideoStored as VideoStored
    from veo_async.session.feed import EventStream as EventStream
    from veo_async.session.reports import Lag as Lag
    from veo_async.session.reports import SessionReport as SessionReport
    from veo_async.session.reports import Standstill as Standstill
    from veo_async.session.reports import Statistics as Statistics
    from veo_async.session.reports import WaitingTime as WaitingTime
    from veo_async.session.session import VeoSession as VeoSession

_HOMES = {
    "veo_async.dialects.dialect": ["Capabilities"],
    "veo_async.engine.scheduler": ["PollScheduler"],
    "veo_async.errors": [
        "AuthenticationError",
        "BudgetExceededError",
        "ConfigurationError",
        "ContentBlockedError",
        "DownloadError",
        "InsufficientBalanceError",
        "InvalidRequestError",
        "LedgerError",
        "NotSentError",
        "OperationError",
        "OperationExpiredError",
        "OperationFailedError",
        "OperationFilteredError",
        "OperationStalledError",
        "OutcomeUnknownError",
        "ProtocolError",
        "QuotaExhaustedError",
        "RateLimitError",
        "RejectedError",
        "SessionClosedError",
        "SubmitError",
        "VeoError",
        "WaitTimeoutError",
    ],
    "veo_async.job": ["Job", "JobEvent"],
    "veo_async.models": [
        "Eta",
        "Expired",
        "Failed",
        "Filtered",
        "Media",
        "Outcome",
        "Rejected",
        "Result",
        "Succeeded",
        "Unknown",
        "Video",
        "VideoRequest",
        "Withdrawn",
    ],
    "veo_async.options": ["Limits", "PollPolicy", "Rate", "RetryPolicy", "Timeouts"],
    "veo_async.providers": ["Provider"],
    "veo_async.session.batching": ["Item"],
    "veo_async.session.events": [
        "CheckAnswered",
        "Dropped",
        "JobMoved",
        "Lifted",
        "ListAnswered",
        "Paused",
        "RateChanged",
        "SessionEvent",
        "VideoStored",
    ],
    "veo_async.session.feed": ["EventStream"],
    "veo_async.session.reports": ["Lag", "SessionReport", "Standstill", "Statistics", "WaitingTime"],
    "veo_async.session.session": ["VeoSession"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:
    __all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - all strings, from one list

    def __getattr__(name: str) -> object:
        """Import a public name's module when the name is first used: importing the package stays light."""
        import importlib

        if name not in _HOME_OF:
            raise AttributeError(f"module 'veo_async' has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
