"""An environment and weights for a template, trusted and kept."""
