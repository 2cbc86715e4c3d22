"""The session: submits jobs, waits for all of them with one scheduler, and owns every task it starts."""

from veo_async.session.batching import Item
from veo_async.session.events import (
    CheckAnswered,
    Dropped,
    JobMoved,
    Lifted,
    ListAnswered,
    Paused,
    RateChanged,
    SessionEvent,
    VideoStored,
)
from veo_async.session.feed import EventStream
from veo_async.session.reports import Lag, SessionReport, Standstill, Statistics, WaitingTime
from veo_async.session.session import VeoSession

__all__ = [
    "CheckAnswered",
    "Dropped",
    "EventStream",
    "Item",
    "JobMoved",
    "Lag",
    "Lifted",
    "ListAnswered",
    "Paused",
    "RateChanged",
    "SessionEvent",
    "SessionReport",
    "Standstill",
    "Statistics",
    "VeoSession",
    "VideoStored",
    "WaitingTime",
]
