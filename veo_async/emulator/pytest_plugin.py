"""The pytest fixture ``veo_emulator``: a running emulator, for tests of programs that generate videos.

The emulator runs in a thread of its own, so synchronous tests use it like those of anyio and pytest-asyncio.
Videos are tiny and jobs take hundredths of a second, unless the marker says otherwise::

    @pytest.mark.veo_emulator(waiting=1.0, filter_share=0.1)
    def test_report(veo_emulator):
        make_videos(veo_emulator.base_url, veo_emulator.key)
        assert len(veo_emulator.bill) == 3
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from veo_async.emulator import Emulator

_MARKER = "veo_emulator(**options): options of veo_async.emulator.Emulator for the fixture veo_emulator"
_OPTIONS = {"waiting": 0.05, "clip": "tiny"}


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def veo_emulator(request: pytest.FixtureRequest) -> "Iterator[Emulator]":
    """A running `veo_async.emulator.Emulator`, new for each test."""
    from veo_async.emulator import Emulator  # pytest loads this module in every run

    marker = request.node.get_closest_marker("veo_emulator")
    options: dict[str, Any] = _OPTIONS | (dict(marker.kwargs) if marker else {})
    with Emulator(**options).in_thread() as emulator:
        yield emulator
