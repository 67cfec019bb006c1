"""Times the step of cvae-gpu and its peers alternately, for scripts/compare-peers and gpu-report."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The module that a peer needs, and the script that times it.
PEERS = {
    "TensorFlow": ("tensorflow", "tensorflow_step.py"),
    "PyTorch": ("torch", "pytorch_step.py"),
    "JAX": ("jax", "jax_step.py"),
}
MARK = "peer:"
OURS = "cvae-gpu"


class Failed(Exception):
    """An error with a message for the user."""


def say(line):
    print(line, file=sys.stderr, flush=True)


def default_program():
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return target / "release" / ("cvae-gpu.exe" if os.name == "nt" else "cvae-gpu")


def installed(python):
    """The peers that this Python has."""
    modules = [module for module, _ in PEERS.values()]
    code = "import importlib.util as u, sys; print([u.find_spec(m) is not None for m in sys.argv[1:]])"
    try:
        found = subprocess.run([python, "-c", code, *modules], capture_output=True, text=True, check=True)
    except OSError as error:
        raise Failed(f"cannot run {python}: {error}. Give a Python with --python or $PYTHON") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"{python} is no Python 3: {error.stderr.strip()}") from error
    return [name for name, there in zip(PEERS, json.loads(found.stdout.lower())) if there]


class Peer:
    """A framework in its own process, which waits for requests (see scripts/peers/peer.py)."""

    PATIENCE = 900  # Seconds: graph compilers are slow.

    def __init__(self, name, python, batch, steps):
        self.name = name
        self.log = tempfile.TemporaryFile(mode="w+")
        script = ROOT / "scripts" / "peers" / PEERS[name][1]
        self.process = subprocess.Popen(
            [python, str(script), str(batch), str(steps)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.about = self.answer()

    def answer(self):
        timer = threading.Timer(self.PATIENCE, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                if line.startswith(MARK):
                    return json.loads(line[len(MARK):])
        finally:
            timer.cancel()
        self.process.wait()
        self.log.seek(0)
        last = (self.log.read().strip().splitlines() or ["no message"])[-1]
        raise Failed(f"{self.name} ended with status {self.process.returncode}: {last}")

    def repeat(self, variant):
        try:
            print(variant, file=self.process.stdin, flush=True)
        except OSError:
            pass  # The process has ended; answer() reports why.
        return self.answer()["ms"]

    def end(self):
        self.process.kill()
        self.process.wait()


def document(program, *options):
    """The JSON that cvae-gpu prints."""
    command = [str(program), *options, "--json", "--quiet"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise Failed(f"cannot run {program}: {error}. Build it with `make build`") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout)


def compare(program, python, batch, steps, repeats, options=()):
    """A document with a row for each variant of each peer, cvae-gpu first; `options` go to `bench`."""
    there = installed(python)
    missing = [name for name in PEERS if name not in there]
    if missing:
        say(f"not compared, since {python} lacks them: {', '.join(missing)}")
    peers, failures = [], []
    try:
        for name in there:
            say(f"setting up {name}")
            try:
                peers.append(Peer(name, python, batch, steps))
            except Failed as failure:
                failures.append(str(failure))
                continue
            for variant, reason in peers[-1].about["failed"].items():
                say(f"not compared, since it does not run here: {name} {variant} ({reason})")
        command = ["bench", "--batch", str(batch), "--steps", str(steps), "--repeats", "1", *options]
        rows = measure(lambda: document(program, *command), peers, repeats, failures)
    finally:
        for peer in peers:
            peer.end()
    peaks = rows[0]["peak_gflops"]
    if min(peaks) < 0.8 * max(peaks):
        say(f"warning: the adapter's peak was {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s, as if other "
            "programs used the machine: ratios include its slow minutes")
    return {"batch": batch, "steps": steps, "repeats": repeats, "rows": rows, "missing": missing,
            "failed": failures}


def measure(bench, peers, repeats, failures):
    """The rows of the table, cvae-gpu first."""
    ours, times, peaks = None, {}, []
    for repeat in range(1, repeats + 1):
        say(f"repeat {repeat} of {repeats}: {OURS}")
        ours = bench()
        times.setdefault((OURS, "bench"), []).append(ours["ms_per_step"])
        peaks.append(ours["peak_gflops"])
        for peer in list(peers):
            for variant in peer.about["variants"]:
                say(f"repeat {repeat} of {repeats}: {peer.name} {variant}")
                try:
                    ms = peer.repeat(variant)
                except Failed as failure:
                    failures.append(str(failure))
                    peers.remove(peer)
                    break
                times.setdefault((peer.name, variant), []).append(ms)
    about = {peer.name: peer.about for peer in peers}
    rows = []
    for (name, variant), ms in times.items():
        if name == OURS:
            device, version = f"{ours['adapter']}, {ours['driver']}", ours["variant"]
        elif name in about:
            device, version = about[name]["device"], about[name]["version"]
        else:
            continue  # It failed during a repeat.
        rows.append({"peer": name, "variant": variant, "version": version, "device": device,
                     "ms_per_step": statistics.median(ms), "ms_min": min(ms), "ms_max": max(ms)})
    for row in rows:
        row["ratio"] = row["ms_per_step"] / rows[0]["ms_per_step"]
    rows[0]["peak_gflops"] = peaks
    return rows


def show(rows):
    header = ("peer", "variant", "ms per step", "min", "max", "of ours", "on")
    cells = [header] + [
        (row["peer"], row["variant"], *(f"{row[key]:.3f}" for key in ("ms_per_step", "ms_min", "ms_max", "ratio")),
         f"{row['device']} ({row['version']})") for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        texts = [text.rjust(width) if 2 <= i <= 5 else text.ljust(width)
                 for i, (text, width) in enumerate(zip(row, widths))]
        print("  ".join(texts).rstrip())


