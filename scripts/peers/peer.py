"""The protocol between a peer and scripts/compare-peers.

A peer gets the images per batch and the steps per repeat as arguments. It sets up the tutorial's
model, runs one repeat of each variant to warm up, and prints a line of JSON about itself. Then it
reads the name of a variant per line, runs a repeat, and answers with a line of JSON: the
milliseconds of a step. It ends with its input. Between two lines it uses no processor time, so several
peers can wait while one runs.
"""

import json
import os
import sys
import time

IMAGES, SIDE, LATENT, RATE = 10_000, 28, 2, 1e-4
BATCH, STEPS = (int(argument) for argument in sys.argv[1:])


def processors():
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def serve(framework, version, device, variants):
    """`variants` maps a name to a function which runs so many steps and waits for them.

    A variant which fails to warm up is named with its reason and left out.
    """
    failed = {}
    for name, run in list(variants.items()):
        try:
            run(STEPS)
        except Exception as error:  # Whatever a framework raises where it lacks something.
            reason = str(error).strip() or type(error).__name__
            failed[name] = reason.splitlines()[0][:200]
            del variants[name]
    say({"framework": framework, "version": version, "device": device,
         "variants": list(variants), "failed": failed})
    for line in sys.stdin:
        start = time.perf_counter()
        variants[line.strip()](STEPS)
        say({"ms": 1e3 * (time.perf_counter() - start) / STEPS})


def say(answer):
    """Frameworks may print too; a line of ours is told by its mark."""
    print("peer:" + json.dumps(answer), flush=True)
