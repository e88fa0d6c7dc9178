"""Asking language models: the client, what it may spend, the replies that are kept."""
