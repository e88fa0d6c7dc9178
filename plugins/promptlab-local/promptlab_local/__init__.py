"""A language model on this machine."""
