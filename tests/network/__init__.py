"""Tests of the edge against servers on this machine that behave and misbehave."""
