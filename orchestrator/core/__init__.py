"""Pure rules on plain data: no clock, no I/O; imports builtins alone."""
