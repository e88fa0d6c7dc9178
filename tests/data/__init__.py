"""Tests of the built-in dataset sources."""
