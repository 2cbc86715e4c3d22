"""Job tokens: short, whole or refused, without a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.errors import ConfigurationError
from veo_async.tokens import PREFIX, Token

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, TEXT, TEXT, TEXT)
def test_a_token_comes_back_as_it_was(provider: str, origin: str, model: str, operation: str) -> None:
    """Whatever the names are, in characters that are safe in a URL."""
    token = Token(provider=provider, origin=origin, model=model, operation=operation)
    text = token.encode()
    assert Token.decode(text) == token
    assert text.startswith(PREFIX)
    assert text.replace("-", "").replace("_", "").replace(".", "").isalnum()


@given(st.text())
def test_anything_else_is_refused_by_name(text: str) -> None:
    """No other exception escapes, and the remedy is told."""
    with pytest.raises(ConfigurationError, match=r"job\.token"):
        Token.decode(PREFIX + text + "!")
