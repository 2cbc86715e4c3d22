"""Webhooks: the provider says that a video is done, and the session looks at once.

::

    receiver = webhooks.Receiver(session, secrets=os.environ["VEO_WEBHOOK_SECRET"])
    app.mount("/veo", receiver)                                                # Starlette, FastAPI
    app.router.add_post("/veo", webhooks.aiohttp_handler(receiver))            # aiohttp

A delivery is a hint: a status check decides, and regular checks go on as the slow net.
"""

from veo_async.webhooks.events import WebhookEvent
from veo_async.webhooks.mounting import aiohttp_handler
from veo_async.webhooks.receiver import Receiver
from veo_async.webhooks.refusals import WebhookRefusedError
from veo_async.webhooks.replies import Reply
from veo_async.webhooks.tokens import GOOGLE_JWKS_URL, TokenRules
from veo_async.webhooks.verifying import Verifier

__all__ = [
    "GOOGLE_JWKS_URL",
    "Receiver",
    "Reply",
    "TokenRules",
    "Verifier",
    "WebhookEvent",
    "WebhookRefusedError",
    "aiohttp_handler",
]
