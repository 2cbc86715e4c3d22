"""Rows in memory."""

from __future__ import annotations

from .samples import job


def test_names_that_many_rows_have_are_held_once() -> None:
    """However they came: as parts of operations' names, or out of a file."""
    one, other = (
        job(
            provider=b"gptproto".decode(),
            origin=b"https://a.example".decode(),
            model=b"veo-3.1".decode(),
        )
        for _ in range(2)
    )
    assert one.provider is other.provider
    assert one.origin is other.origin
    assert one.model is other.model
