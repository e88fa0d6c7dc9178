"""Results as tables, markdown and JSON; the only formatter of numbers."""
