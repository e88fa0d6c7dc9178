"""From pictures and texts to unit vectors, with open_clip."""
