"""Leaves of the behaviour tree: what they read, what they ask, what they choose."""
