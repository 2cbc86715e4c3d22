"""The session: submits jobs, waits for all of them with one scheduler, and owns every task it starts."""

from veo_async.session.batching import Item
from veo_async.session.reports import SessionReport, Statistics
from veo_async.session.session import VeoSession

__all__ = ["Item", "SessionReport", "Statistics", "VeoSession"]
