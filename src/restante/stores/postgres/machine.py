"""Where this process runs, and whether another of the same place has ended.

A place is one start of one kernel and one PID namespace in it: there a number belongs to one process at a
time, and who asks for one that is nobody's is told so. Of other places nothing can be known; nor of a number
that somebody has, who may be another by now.

A copy of a running virtual machine has its boot id as well. Whoever is taken for dead for that goes on under
another number, as after a lapsed lease: what it was sending is interrupted, and nothing is settled twice.
"""

import os

BOOT = "/proc/sys/kernel/random/boot_id"
NAMESPACE = "/proc/self/ns/pid"


def machine() -> str | None:
    """The place; None where the system does not tell."""
    try:
        with open(BOOT, encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink(NAMESPACE)}"
    except (OSError, UnicodeDecodeError):
        return None


def has_ended(process: int) -> bool:
    """Whether there surely is no such process in this place."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        return False
    return False
