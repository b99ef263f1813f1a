"""`on_a_terminal.py COMMAND...`: the command in the foreground of a terminal of its own, with its output left alone.

SIGUSR2 is a Ctrl-C at the keyboard. Ends as the command does.
"""

import fcntl
import os
import signal
import sys
import termios

master, slave = os.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(slave, 0)
    os.close(master)
    os.close(slave)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(slave)
signal.signal(signal.SIGUSR2, lambda *_: os.write(master, b"\x03"))
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os._exit(128 - code if code < 0 else code)
