#!/usr/bin/env python3
"""Library code never prints (STYLE 3.7): it emits events, or returns errors."""
import re
import sys

import csource

CALLS = r"v?printf|puts|putchar|v?fprintf|v?dprintf|fputs|fputc|perror|v?warnx?|v?errx?|syslog"
STREAMS = r"stdout|stderr|STDOUT_FILENO|STDERR_FILENO"
PRINTS = re.compile(rf"(?<![\w.>])(?:({CALLS})\s*\(|({STREAMS})\b)")
# file -> words that are allowed there, and why.
ALLOWED = {
    # STV_BUG tells of a mistake of ours just before the program ends.
    "core/err.c": {"STDERR_FILENO"},
    # 'stave run': what the command says goes where it was meant for.
    "builder/container.c": {"STDOUT_FILENO", "STDERR_FILENO"},
    # Memory is out: the same.
    "core/mem.c": {"STDERR_FILENO"},
}
# The sandbox gives a command its standard descriptors.
ALLOWED_FOLDERS = {"builder/sandbox/": {"STDOUT_FILENO", "STDERR_FILENO"}}


def check(name):
    allowed = set(ALLOWED.get(name, ()))
    for folder, words in ALLOWED_FOLDERS.items():
        if name.startswith(folder):
            allowed |= words
    for number, line in enumerate(csource.code(name).split("\n"), 1):
        if line.startswith("#"):
            continue
        for m in PRINTS.finditer(line):
            word = m.group(1) or m.group(2)
            if word not in allowed:
                yield f"{name}:{number}: {word} in a library"


sys.exit(csource.report("print", [f for n in csource.files(r"\.[chly]$") if not n.startswith("cmd/")
                                  for f in check(n)]))
