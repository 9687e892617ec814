"""Formats of protocols: `is_it` recognises one, `read` and `write` are its two ways."""

#: Names of the forms that `protocols.opening.convert` writes.
FORMS = ("bob", "voxceleb", "kaldi", "wespeaker", "espnet", "sre")
