"""The door for Bob: what it calls preprocessors, whole speaker embedders here."""
