"""Estimates the time of each dispatch of a train step on an RX 7900 XTX (Navi 31) from its assembly.

The time of a dispatch is the largest of five bounds:
- one wave: the slowest wave, alone on its SIMD (wave.py);
- all waves: their times one after the other, over the waves that fit on the chip. It matters where there
  are more waves than fit, and shows what too few registers cost;
- VALU: cycles in which vector instructions occupy a SIMD, over all SIMDs;
- LDS: cycles of workgroup memory, of which two SIMDs share one;
- bytes: each tensor once, at the bandwidth of the cache that the plan fits into.

Launches and drains between dispatches come on top. Pairs of multiply-adds in one instruction (VOPD), which
wave64 does not encode, are not counted."""

import isa
import wave

CLOCK = 2400  # MHz
UNITS, SIMDS = 96, 192
CACHE_BYTES, CACHE_SPEED, MEMORY_SPEED = 96 << 20, 2.0e6, 0.96e6  # bytes per µs
ROUND = 512  # multiply-adds per wave and round of a conv_workgroup kernel: 16 terms of 4 × 8


def waves_per_simd(found, chip="navi31"):
    """Waves of a dispatch that a SIMD holds. On RDNA Mesa's figure counts halves of waves of 64 lanes."""
    waves = found["statistics"]["Subgroups per SIMD"]
    return waves if chip == "vega10" else waves * 32 // found["wave"]


class Kernel:
    """A kernel alone: mean and worst over some of its waves."""

    def __init__(self, place, found):
        member = found["members"][0]
        self.id, self.label, self.name = found["id"], member["label"], member["kernel"]
        code, labels = isa.read(place / f"{self.id}.s")
        grid, size = member["grid"], member["workgroup"][0]
        per_group = -(-size // wave.LANES)
        self.count = per_group * grid[0] * grid[1] * grid[2]
        inputs = max(isa.inputs(code), default=3)
        # The driver passes the descriptors in s2, then the grid if the kernel reads it, then the workgroup's ids.
        first, scalars = (6, dict(zip((3, 4, 5), grid))) if inputs >= 6 else (3, {})
        done = []
        for group in groups(grid):
            for lane in {0, (per_group - 1) * wave.LANES}:
                registers = {**scalars, **{first + axis: group[axis] for axis in range(3)}}
                done.append(wave.Wave(code, labels, registers, lane).run())
        self.path = max(w.clock for w in done)
        mean = lambda key: sum(getattr(w, key) for w in done) / len(done)
        self.clock, self.valu, self.lds = mean("clock"), mean("vector"), mean("local")
        longest = max(done, key=lambda w: w.fmas)
        self.flights, self.rounds = longest.flights, longest.fmas // ROUND
        self.unknown = set().union(*(w.unknown for w in done))


def groups(grid):
    """Workgroups to execute. Neighbours along x may differ much: phases of a stride, roles of a kernel."""
    x, y, z = grid
    along = range(x) if x <= 8 else (0, 1, x // 2, x - 1)
    return [(i, y // 2, z // 2) for i in along]


class Dispatch:
    def __init__(self, found, kernels, fast):
        self.id, self.kernels = found["id"], kernels
        self.names = [kernel.name.split("::")[1] for kernel in kernels]
        us = lambda cycles: cycles / CLOCK
        resident = SIMDS * waves_per_simd(found)
        self.path = us(max(kernel.path for kernel in kernels))
        self.waves = us(sum(kernel.count * kernel.clock for kernel in kernels) / resident)
        self.valu = us(sum(kernel.count * kernel.valu for kernel in kernels) / SIMDS)
        self.lds = us(sum(kernel.count * kernel.lds for kernel in kernels) / UNITS)
        moved = sum(member["bytes"] for member in found["members"])
        self.memory = moved / (CACHE_SPEED if fast else MEMORY_SPEED)
        self.time = max(self.path, self.waves, self.valu, self.lds, self.memory)


def of(place, dispatches):
    """The dispatches of a plan, in order."""
    alone = {d["id"]: Kernel(place, d) for d in dispatches if len(d["members"]) == 1}
    fast = max(sum(m["bytes"] for m in d["members"]) for d in dispatches) < CACHE_BYTES // 4
    done = []
    for found in (d for d in dispatches if d["id"].isdigit()):
        kernels = [k for name, k in alone.items() if name.startswith(found["id"])]
        done.append(Dispatch(found, kernels, fast))
    return done
