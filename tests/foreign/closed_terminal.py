"""Starts a command on a terminal, waits for a word in its output, closes the terminal, and prints the exit code.

    closed_terminal.py WORD COMMAND...
"""

import os
import pty
import signal
import sys

word, command = sys.argv[1].encode(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    # Under nohup, the command would inherit that SIGHUP is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(command[0], command)
seen = b""
while word not in seen:
    seen += os.read(terminal, 4096)
os.close(terminal)
print("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
