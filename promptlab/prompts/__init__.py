"""From names and templates to the grid of texts."""
