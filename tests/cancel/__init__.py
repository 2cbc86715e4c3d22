"""Callers that are interrupted at every point: what was paid for, and what was left open."""
