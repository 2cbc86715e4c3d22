"""A deterministic simulation: real sessions, a made-up world, all chance from one seed."""
