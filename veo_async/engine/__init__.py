"""Decisions: events in, actions out. Pure: no await, no clock, no randomness, no I/O."""
