#!/usr/bin/env python3
"""bench/cost.py [--memory] [--daemon PID] COMMAND...: what one command costs.

Prints "SECONDS CPU PEAK": wall time, processor seconds and, with --memory, the largest sum of the resident KiB of all
its processes (else 0). A daemon that does the work, with its children, counts as well: its processor time, and its
memory. A command that fails ends this with its output and status 1.

bench/cost.py --table FILE TOOL...: the medians of lines "WHAT<tab>TOOL<tab>SECONDS<tab>CPU<tab>PEAK", as a table.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return None


def tree(roots):
    """All processes at and below these."""
    children = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else None
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def resident(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def cpu_of(roots):
    """Processor seconds of the trees, those of ended children too."""
    total = 0
    for pid in tree(roots):
        fields = stat_fields(pid)
        if fields is not None:
            total += sum(int(f) for f in fields[11:15])
    return total / TICKS


class Sampler(threading.Thread):
    """The largest sum of memory of the trees while it runs."""

    def __init__(self, roots):
        super().__init__(daemon=True)
        self.roots, self.peak, self.is_over = roots, 0, False

    def run(self):
        while not self.is_over:
            self.peak = max(self.peak, sum(resident(p) for p in tree(self.roots)))
            time.sleep(0.01)


def cost(args):
    before = cpu_of(args.daemon)
    with tempfile.TemporaryFile() as log:
        begun = time.monotonic()
        child = subprocess.Popen(args.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        sampler = Sampler(args.daemon + [child.pid])
        if args.memory:
            sampler.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        sampler.is_over = True
        if status != 0:
            log.seek(0)
            sys.exit(f"{' '.join(args.command)} failed:\n{log.read()[-3000:].decode(errors='replace')}")
    cpu = usage.ru_utime + usage.ru_stime + cpu_of(args.daemon) - before
    print(f"{seconds:.3f} {cpu:.2f} {sampler.peak}")


def table(path, tools):
    """Seconds with processor seconds in brackets, and each tool's time as a multiple of the first one's."""
    rows, peaks = {}, {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            what, tool, seconds, cpu, peak = line.rstrip("\n").split("\t")
            if int(peak) > 0:
                peaks[tool] = max(peaks.get(tool, 0), int(peak))
            else:
                rows.setdefault(what, {}).setdefault(tool, []).append((float(seconds), float(cpu)))
    print("| | " + " | ".join(tools) + " | " + " | ".join(f"{t} / {tools[0]}" for t in tools[1:]) + " |")
    print("|---" * (2 * len(tools)) + "|")
    for what, by_tool in rows.items():
        cells, medians = [], []
        for tool in tools:
            medians.append(statistics.median(s for s, _ in by_tool[tool]))
            cpu = statistics.median(c for _, c in by_tool[tool])
            cells.append(f"{medians[-1]:.2f} s ({cpu:.2f})")
        cells += [f"{m / medians[0]:.1f}" for m in medians[1:]]
        print(f"| {what} | " + " | ".join(cells) + " |")
    if peaks:
        cells = [f"{peaks[t] / 1024:.0f} MiB" for t in tools] + [f"{peaks[t] / peaks[tools[0]]:.1f}" for t in tools[1:]]
        print("| largest memory of all processes | " + " | ".join(cells) + " |")


def main():
    if sys.argv[1:2] == ["--table"]:
        table(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--daemon", type=int, action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    cost(parser.parse_args())


if __name__ == "__main__":
    main()
