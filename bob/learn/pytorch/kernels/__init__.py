"""Loops that no library has fast enough: C, compiled when the package is installed."""
