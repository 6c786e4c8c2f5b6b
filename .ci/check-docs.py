#!/usr/bin/env python3
"""Every prototype in a header stands below a comment that names it (STYLE 3.10)."""
import re
import sys

import csource

PROTOTYPE = re.compile(r"^(?!typedef|struct \w+ \{|enum|static|#|return)[a-z_][\w \t*]*?\b(\w+)\(", re.M)


def check(name):
    lines = csource.text(name).split("\n")
    code = csource.code(name).split("\n")
    depth = 0
    for i, line in enumerate(code):
        m = PROTOTYPE.match(line) if depth == 0 else None
        # A return type on a line of its own begins the prototype above.
        if m and not line.startswith("STV_") and not lines[i].startswith("\t"):
            statement = "\n".join(code[i:i + 12]).split(";")[0]
            if "{" not in statement and not m.group(1).startswith("__"):
                start = i
                while start > 0 and re.match(r"^[a-z]", code[start - 1]) and code[start - 1].count("(") == 0 \
                        and not code[start - 1].rstrip().endswith(";"):
                    start -= 1
                if not is_documented(lines, code, start, m.group(1)):
                    yield f"{name}:{i + 1}: no comment above names {m.group(1)}()"
        depth += line.count("{") - line.count("}")


def is_documented(lines, code, start, function):
    """Is the nearest text above, other prototypes apart, a comment that names the function?"""
    i = start - 1
    while i >= 0 and lines[i].strip() and code[i].strip():
        i -= 1  # further prototypes of the same comment
    if i < 0 or not lines[i].strip() or "*/" not in lines[i]:
        return False
    end = i  # the last line of the comment
    while i >= 0 and "/*" not in lines[i]:
        i -= 1
    comment = "\n".join(lines[max(i, 0):end + 1])
    # One comment may stand above a block of prototypes; above a single one it names it.
    return end < start - 1 or is_block(lines, code, start) or re.search(rf"\b{function}\b", comment) is not None


def is_block(lines, code, start):
    """Does another prototype follow without a blank line or a comment between?"""
    i = start
    while i < len(code) and code[i].strip() and not code[i].rstrip().endswith(";"):
        i += 1
    return i + 1 < len(code) and PROTOTYPE.match(code[i + 1]) is not None


sys.exit(csource.report("docs", [f for n in csource.files(r"\.h$") for f in check(n)]))
