"""Trained models -> files that other programs run."""
