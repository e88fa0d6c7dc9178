"""Tests of encoding, from pictures and texts to vectors on disk."""
