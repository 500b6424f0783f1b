#!/usr/bin/env python3
"""The peak memory of a command in MB, as the kernel counted it (ru_maxrss, program text included).

Usage: peak.py COMMAND ...
The command is started without a shell; its output goes through a pipe and is thrown away.
"""
import os
import subprocess
import sys

process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
while process.stdout.read(1 << 16):
    pass
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
if process.returncode != 0:
    sys.exit(f"{' '.join(sys.argv[1:])} ended with {process.returncode}")
print(f"{usage.ru_maxrss / 1024:.1f}")
