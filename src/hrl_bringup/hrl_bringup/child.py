"""Becomes the command that follows, and sees to it that it ends with the process that started it.

usage: child.py PARENT_PID COMMAND...   Run by path with `python -S`: it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # kept across exec
    if os.getppid() != parent:
        sys.exit("the process that started this node has ended")
    # A shell lets its background jobs ignore SIGINT, and so would their children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
