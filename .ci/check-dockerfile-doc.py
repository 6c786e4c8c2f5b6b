#!/usr/bin/env python3
"""check-dockerfile-doc.py: does docs/dockerfile.md name, for each construct, a test that exists?

Its tables have the tests of a row in their last cell, in back quotes:

    e2e/copy/chmod      a recorded case below testdata/
    unit:suite/test     a Criterion test
    corpus/ok/c-cmake   likewise
    e2e-cache:touched   a case of cmd/test/e2e-cache.sh

A row whose column BK begins with Y needs one, and so does each rule.  Where the project's conventions lie beside
the checkout (../shared), every row of their table of the language and every rule of theirs has to be there.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DOC = TOP / "docs" / "dockerfile.md"
SHARED = TOP.parent / "shared"


def squeeze(text):
    return re.sub(r"\s+", " ", text.replace("\\|", "|")).strip()


def tables(text):
    """(header, rows) of each table; a row is its cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = [squeeze(c) for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            if not all(re.fullmatch(r":?-+:?", c) for c in cells):
                rows.append(cells)
        elif rows:
            found.append((rows[0], rows[1:]))
            rows = []
    return found


def unit_tests():
    names = set()
    for path in TOP.glob("*/test/test_*.c"):
        names.update("/".join(m) for m in
                     re.findall(r"(?:^|\n)(?:Parameterized)?Test\((?:struct \w+ \*\w+,\s*)?(\w+),\s*(\w+)",
                                path.read_text()))
    return names


def exists(test, units):
    kind, _, name = test.partition(":")
    if not name:
        case = TOP / "testdata" / test
        return case.is_dir() and any((case / f).exists() for f in ("expected.json", "error", "setup.sh", "Dockerfile"))
    if kind == "unit":
        return name in units
    script = TOP / "cmd" / "test" / f"{kind}.sh"
    word = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    return script.exists() and re.search(word, script.read_text()) is not None


def check(bad):
    units, seen = unit_tests(), set()
    for header, rows in tables(DOC.read_text()):
        if header[-1] != "tests":
            continue
        for row in rows:
            seen.add(row[0])
            tests = re.findall(r"`([^`]+)`", row[-1])
            is_needed = "BK" not in header or row[header.index("BK")].startswith("Y")
            if is_needed and not tests:
                bad.append(f"no test: {row[0]}")
            bad += [f"no such test: {t} ({row[0][:60]})" for t in tests if not exists(t, units)]
    return seen


def wanted():
    """The first cells of the table of the language, and the rules, of the conventions."""
    conventions = (SHARED / "CONVENTIONS.md").read_text()
    part = conventions.split("### A1.")[1].split("### A2.")[0]
    for header, rows in tables(part):
        if header[0] == "Capability":
            yield from (r[0] for r in rows)
    rule = ""
    for line in [*(SHARED / "DOCKERFILE.md").read_text().splitlines(), ""]:
        if line.startswith("- ") or not line.startswith("  "):
            if rule:
                yield squeeze(rule)
            rule = line[2:] if line.startswith("- ") else ""
        elif rule:
            rule += " " + line.strip()


def main():
    bad = []
    seen = check(bad)
    if (SHARED / "CONVENTIONS.md").exists():
        bad += [f"no row: {w}" for w in wanted() if w not in seen]
    else:
        print("the conventions are not beside this checkout: only the tests that are named were looked for")
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
