#!/usr/bin/env python3
"""Times two commands in turn, A B A B ..., and prints their medians and the median of the ratios A/B.

Usage: pairs.py RUNS LABEL -- COMMAND_A ... -- COMMAND_B ...
Both commands are started without a shell, their output goes through a pipe and is thrown away. A machine's speed
drifts; the ratio of neighbours does not, so quote the ratio.
"""
import statistics
import subprocess
import sys
import time


def once(command):
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while process.stdout.read(1 << 16):
        pass
    code = process.wait()
    took = time.perf_counter() - begin
    if code != 0:
        sys.exit(f"{' '.join(command)} ended with {code}")
    return took


def main():
    runs, label = int(sys.argv[1]), sys.argv[2]
    rest = sys.argv[4:]
    at = rest.index("--")
    a, b = rest[:at], rest[at + 1:]
    for command in (a, b):
        once(command)
    pairs = [(once(a), once(b)) for _ in range(runs)]
    first = statistics.median(x for x, _ in pairs) * 1000
    second = statistics.median(y for _, y in pairs) * 1000
    ratio = statistics.median(x / y for x, y in pairs)
    print(f"{label:<44} {first:8.2f} ms {second:8.2f} ms   ratio {ratio:5.2f}")


main()
