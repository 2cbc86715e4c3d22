"""Processes that die: what they had paid for, and what their ledgers knew."""
