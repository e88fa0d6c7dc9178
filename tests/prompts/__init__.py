"""Tests of templates, names and texts."""
