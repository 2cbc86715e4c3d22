"""Bytes to models and back: one file a surface, all of them pure."""
