"""Tests of what goes round over the stages."""
