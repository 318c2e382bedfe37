"""Tests of studio/data."""
