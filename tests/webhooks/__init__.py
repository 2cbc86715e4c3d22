"""Tests of webhooks: verifying, receiving, and hearing of an end at once."""
