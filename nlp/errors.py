"""What can go wrong in understanding."""


class LexiconError(Exception):
    """The red-flag lexicon cannot be used. The text names file, line and cause; the service does not start."""
