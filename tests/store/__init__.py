"""Tests of what is kept: files, runs, settings."""
