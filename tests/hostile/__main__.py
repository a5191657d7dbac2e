"""Tries targets with damaged inputs and prints rows of docs/project/faults.md: `python -m tests.hostile [N] [NAME …]`."""

import random
import sys
import time

import torch

from tests.hostile.targets import TARGETS, in_memory, tried

torch.set_num_threads(1)
n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
for name in sys.argv[2:] or TARGETS:
    with in_memory() as folder:
        began = time.process_time()
        read, refused = tried(name, folder, random.Random(0), n)
    print(f"| {name} | {n:,} | {read:,} | {refused:,} | {time.process_time() - began:.0f} |", flush=True)
