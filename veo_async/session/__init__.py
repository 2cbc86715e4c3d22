"""The session: submits jobs, waits for all of them with one scheduler, and owns every task it starts."""

from veo_async.session.session import VeoSession

__all__ = ["VeoSession"]
