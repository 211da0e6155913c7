"""Findings to a verdict with its reasons."""
