"""What the checks of C sources share: the files, and their code without comments and strings."""
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("core", "parser", "cache", "registry", "builder", "cmd")


def files(pattern, tests=False):
    """Our files whose names match, as paths below TOP; those of tests and fuzz targets only if asked for."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *FOLDERS], cwd=TOP, check=True,
                         stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for name in sorted(set(out)):
        if re.search(pattern, name) and (TOP / name).is_file():
            if tests or not re.search(r"/(test|fuzz)/", name):
                yield name


def text(name):
    return (TOP / name).read_text(encoding="utf-8", errors="surrogateescape")


TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def code(name):
    """The file with comments and the inside of strings blanked out; lines keep their numbers."""
    def blank(m):
        s = m.group(0)
        if s[0] in "\"'":
            return s[0] + " " * (len(s) - 2) + s[0]
        return re.sub(r"[^\n]", " ", s)
    return TOKEN.sub(blank, text(name))


def report(check, findings):
    """Print the findings; the status for sys.exit()."""
    for f in findings:
        print(f)
    if findings:
        print(f"{check}: {len(findings)} findings")
    return 1 if findings else 0
