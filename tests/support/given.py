"""The least that a configuration of an experiment has to say."""

GIVEN = {
    "database": "d",
    "preprocessor": "p",
    "extractor": "e",
    "algorithm": "a",
    "sub_directory": "s",
}
