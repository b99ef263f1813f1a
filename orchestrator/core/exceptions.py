"""What ends a command from within."""


class Usage(Exception):
    """A command line that makes no sense: exit code 2."""
