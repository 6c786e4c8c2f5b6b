#!/usr/bin/env python3
"""Functions that are not used (STYLE 3.9, and the end of THREATS.md), with the exceptions and their reasons."""
import re
import sys

import csource

# Never: no bound, no error, hidden state, or a shell.
NEVER = ("strcpy", "stpcpy", "strcat", "sprintf", "vsprintf", "strtok", "gets", "system", "popen", "tmpnam", "tempnam",
         "mktemp", "alloca", "atoi", "atol", "atoll", "strdupa", "strndupa", "rand", "random")
# Path strings: what lies below a root that we do not trust is reached by descriptors and core/fsat.h only.
PATHS = ("open", "creat", "fopen", "opendir", "mkdir", "rmdir", "unlink", "chmod", "chown", "lchown", "rename", "stat",
         "lstat", "link", "symlink", "readlink", "mknod", "mkfifo", "truncate", "mount", "realpath", "setxattr",
         "lsetxattr", "getxattr", "lgetxattr")
CHDIR = ("chdir", "fchdir", "chroot")

EXCEPTIONS = {}  # file -> {function: reason}


def load_exceptions():
    for line in (csource.TOP / ".ci/banned-exceptions").read_text().splitlines():
        if line and not line.startswith("#"):
            path, functions, reason = line.split(None, 2)
            for f in functions.split(","):
                EXCEPTIONS.setdefault(path, {})[f] = reason


def check(name, used):
    words = list(NEVER)
    if not name.startswith("core/"):
        words += PATHS
    if not name.startswith("builder/sandbox/"):
        words += CHDIR
    call = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\s*\(")
    for number, line in enumerate(csource.code(name).split("\n"), 1):
        if line.startswith("#"):
            continue
        for m in call.finditer(line):
            if m.group(1) in EXCEPTIONS.get(name, {}):
                used.add((name, m.group(1)))
            else:
                yield f"{name}:{number}: {m.group(1)}() is not used here"


load_exceptions()
used = set()
found = [f for n in csource.files(r"\.[chly]$") for f in check(n, used)]
for path, functions in EXCEPTIONS.items():
    found += [f".ci/banned-exceptions: {path} does not use {f} any more" for f in functions if (path, f) not in used]
sys.exit(csource.report("banned", found))
