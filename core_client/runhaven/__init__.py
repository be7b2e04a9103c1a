"""Experiment tracking for machine learning that lives in a directory."""
