"""The JSON of a template: read, checked, described."""
