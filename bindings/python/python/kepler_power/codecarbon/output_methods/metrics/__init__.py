"""Rows as metrics."""
