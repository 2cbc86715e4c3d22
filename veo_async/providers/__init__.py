"""Whom we talk to: one service, with one key, and what it can do.

The environment is read by `Provider.from_env` and `Provider.from_file`, and nowhere else.
"""

from veo_async.origins import origin_of
from veo_async.providers.arguments import Upload
from veo_async.providers.provider import Provider

__all__ = ["Provider", "Upload", "origin_of"]
