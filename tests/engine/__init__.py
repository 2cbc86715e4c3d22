"""Tests of the engine: plain functions, literal instants, no event loop."""
