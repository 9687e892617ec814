"""A JSON file wraps anyone's audio model: checked, installed apart, run apart."""
