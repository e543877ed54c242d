"""How a command ends: its exit codes."""

DONE = 0
UNREADABLE = 1  # something could not be read or written
WRONG_USAGE = 2
DRIFT = 3
INTERRUPTED = 130
