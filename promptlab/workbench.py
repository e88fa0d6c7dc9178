"""A finished run as a thing to play with: every edit is scored at once, weights and labels held."""
