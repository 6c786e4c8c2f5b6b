#!/usr/bin/env python3
"""procwatch.py OUT PROGRAM COMMAND...: run the command, and write the command lines of it and of all that it starts, and
their environment, to OUT, again and again until it ends. The environment of PROGRAM itself, and of the strace that runs it,
is the user's and not looked at. The status is the command's."""
import os
import subprocess
import sys
import time


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


def below(pid):
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        for p in read(pid, f"task/{thread}/children").split():
            yield int(p)
            yield from below(int(p))


child = subprocess.Popen(sys.argv[3:])
with open(sys.argv[1], "ab") as out:
    while child.poll() is None:
        out.write(read(child.pid, "cmdline") + b"\n")
        for p in below(child.pid):
            before, environment, line = read(p, "cmdline"), read(p, "environ"), read(p, "cmdline")
            # Between fork and exec it is still its parent.
            is_users = any(c.split(b"\0")[0] in (b"", b"strace", sys.argv[2].encode()) for c in (before, line))
            out.write(line + b"\n" + (b"" if is_users else environment) + b"\n")
        time.sleep(0.003)
sys.exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)
