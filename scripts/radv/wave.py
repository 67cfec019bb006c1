"""Executes one wave of a kernel, and counts its cycles.

Scalar registers, integers, comparisons and masks have their values, so loops run as often as on a GPU. Loads
return zero, and so do sums of floats: no kernel's control flow depends on them, but for single branches.

The clock is that of a wave that is alone on its SIMD: one instruction issues per cycle, a vector instruction
occupies the SIMD, results come after a latency, and the wave waits where `s_waitcnt` says. Latencies are
assumptions, in cycles."""

import re
import struct

GLOBAL, SCALAR, LOCAL, BARRIER = 320, 100, 64, 20
RESULT = 4  # cycles after a vector instruction until its result can be read
LANES = 64
FULL = (1 << LANES) - 1
M32 = 0xFFFFFFFF
SLOW = re.compile(r"v_(exp|log|rcp|rsq|sqrt|sin|cos|mul_lo_u32|mul_hi_[ui]32|mul_lo_i32|mad_[ui]64)")
MOST = 3_000_000  # instructions, against loops that do not end


def signed(x):
    return x - (1 << 32) if x & 0x80000000 else x


def real(x):
    return struct.unpack("<f", struct.pack("<I", x))[0]


def word(x):
    try:
        return struct.unpack("<I", struct.pack("<f", x))[0]
    except OverflowError:
        return 0x7F800000


def bfe(x, offset, width):
    return x >> (offset & 31) & ((1 << (width & 31)) - 1)


def reverse(x):
    return int(f"{x:032b}"[::-1], 2)


def compare(name):
    """The predicate of a comparison."""
    relation, kind = name.split("_")[-2:]
    read = {"u": int, "i": signed, "f": real, "b": int}[kind[0]]
    test = {
        "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lg": lambda a, b: a != b,
        "neq": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "nlt": lambda a, b: not a < b,
        "nge": lambda a, b: not a >= b, "ngt": lambda a, b: not a > b, "nle": lambda a, b: not a <= b,
    }[relation]
    return lambda a, b: test(read(a), read(b))


def three(low, high):
    return lambda a, b, c: high(low(a, b), c)


add, left = lambda a, b: a + b, lambda a, b: a << (b & 31)
INTEGER = {
    "add_nc_u32": add, "add_u32": add, "add_i32": add, "sub_nc_u32": lambda a, b: a - b, "sub_u32": lambda a, b: a - b,
    "sub_i32": lambda a, b: a - b, "subrev_nc_u32": lambda a, b: b - a, "mul_lo_u32": lambda a, b: a * b,
    "mul_i32": lambda a, b: a * b, "mul_u32_u24": lambda a, b: (a & 0xFFFFFF) * (b & 0xFFFFFF),
    "mul_hi_u32": lambda a, b: a * b >> 32, "lshlrev_b32": lambda a, b: b << (a & 31),
    "lshrrev_b32": lambda a, b: b >> (a & 31), "ashrrev_i32": lambda a, b: signed(b) >> (a & 31),
    "abs_i32": lambda a: abs(signed(a)),
    "and_not1_b32": lambda a, b: a & ~b, "mad_u32_u16": lambda a, b, c: (a & 0xFFFF) * (b & 0xFFFF) + c, "lshl_b32": left, "lshr_b32": lambda a, b: a >> (b & 31), "ashr_i32": lambda a, b: signed(a) >> (b & 31),
    "and_b32": lambda a, b: a & b, "or_b32": lambda a, b: a | b, "xor_b32": lambda a, b: a ^ b,
    "min_u32": min, "max_u32": max, "min_i32": lambda a, b: min(a, b, key=signed),
    "max_i32": lambda a, b: max(a, b, key=signed), "mov_b32": lambda a: a, "movk_i32": lambda a: a,
    "bfrev_b32": reverse, "brev_b32": reverse, "not_b32": lambda a: ~a, "bfe_u32": bfe,
    "lshl_add_u32": three(left, add), "add_lshl_u32": three(add, left),
    "add3_u32": three(add, add), "xor3_b32": lambda a, b, c: a ^ b ^ c,
    "and_or_b32": lambda a, b, c: a & b | c, "or3_b32": lambda a, b, c: a | b | c,
    "lshl_or_b32": lambda a, b, c: a << (b & 31) | c, "mad_u32_u24": lambda a, b, c: (a & 0xFFFFFF) * (b & 0xFFFFFF) + c,
    "med3_i32": lambda a, b, c: sorted((a, b, c), key=signed)[1], "pack_ll_b32_b16": lambda a, b: a & 0xFFFF | b << 16,
    "pack_hh_b32_b16": lambda a, b: a >> 16 | b & 0xFFFF0000,
    "bfm_b32": lambda a, b: ((1 << (a & 31)) - 1) << (b & 31), "lshl1_add_u32": lambda a, b: 2 * a + b,
    "lshl2_add_u32": lambda a, b: 4 * a + b, "lshl3_add_u32": lambda a, b: 8 * a + b,
    "lshl4_add_u32": lambda a, b: 16 * a + b,
    # The floats of divisions by values that are not constant.
    "cvt_f32_u32": lambda a: word(float(a)), "cvt_f32_i32": lambda a: word(float(signed(a))),
    "cvt_u32_f32": lambda a: int(max(0.0, min(real(a), 4294967295.0))) if real(a) == real(a) else 0,
    "rcp_f32": lambda a: word(1.0 / real(a)) if real(a) else 0x7F800000,
    "rcp_iflag_f32": lambda a: word(1.0 / real(a)) if real(a) else 0x7F800000,
    "mul_f32": lambda a, b: word(real(a) * real(b)) if a and b else 0,
}


class Wave:
    def __init__(self, code, labels, scalars, first_lane, cycles=2):
        self.code, self.labels, self.cycles = code, labels, cycles
        self.s = dict(scalars)
        self.v = {0: [first_lane + lane for lane in range(LANES)]}
        self.mask = {"exec": FULL, "vcc": 0}
        self.scc = 0
        self.clock, self.ready = 0.0, {}
        self.pending, self.pending_local = [], []
        self.bus, self.local_bus = 0, 0
        self.vector, self.local, self.fmas, self.count = 0, 0, 0, 0
        self.flights = []  # multiply-adds between each load and the wait for it
        self.unknown = set()

    # Values. A vector register holds a list, or one number if its lanes agree.

    def scalar(self, operand):
        if operand.kind == "s":
            return self.s.get(operand.number, 0)
        if operand.kind == "constant":
            return operand.value
        base = operand.kind.split("_")[0]
        if base in self.mask:
            return self.mask[base] >> (32 if operand.kind.endswith("hi") else 0) & M32
        return self.scc if base == "scc" else 0

    def wide(self, operand):
        if operand.kind == "s":
            return self.s.get(operand.number, 0) | self.s.get(operand.number + 1, 0) << 32
        if operand.kind in self.mask:
            return self.mask[operand.kind]
        value = operand.value
        return value | (0xFFFFFFFF00000000 if value & 0x80000000 else 0)

    def set_wide(self, operand, value):
        if operand.kind in self.mask:
            self.mask[operand.kind] = value & FULL
        elif operand.kind == "s":
            self.s[operand.number], self.s[operand.number + 1] = value & M32, value >> 32 & M32

    def set_scalar(self, operand, value):
        if operand.kind == "s":
            self.s[operand.number] = value & M32

    def value(self, operand):
        if operand.kind == "v":
            return self.v.get(operand.number, 0)
        return self.scalar(operand)

    def set_vector(self, number, value):
        lanes = self.mask["exec"]
        if lanes != FULL:
            old = self.v.get(number, 0)
            if old == value:
                return
            old = old if isinstance(old, list) else [old] * LANES
            new = value if isinstance(value, list) else [value] * LANES
            value = [new[i] if lanes >> i & 1 else old[i] for i in range(LANES)]
        self.v[number] = value

    @staticmethod
    def map(function, values):
        if not any(isinstance(value, list) for value in values):
            return function(*values)
        rows = [value if isinstance(value, list) else [value] * LANES for value in values]
        return [function(*lane) for lane in zip(*rows)]

    # Execution.

    def run(self):
        at, end = 0, len(self.code)
        while at < end:
            instruction = self.code[at]
            self.count += 1
            if instruction.name == "s_endpgm":
                break
            if self.count > MOST:
                raise RuntimeError(f"{MOST} instructions: a loop does not end")
            self.time(instruction)
            at = self.step(instruction, at)
        return self

    def step(self, i, at):
        name = i.name
        if i.target is not None:
            taken = {"s_branch": True, "s_cbranch_scc0": not self.scc, "s_cbranch_scc1": self.scc,
                     "s_cbranch_execz": not self.mask["exec"], "s_cbranch_execnz": self.mask["exec"],
                     "s_cbranch_vccz": not self.mask["vcc"], "s_cbranch_vccnz": self.mask["vcc"]}[name]
            return self.labels[i.target] if taken else at + 1
        if i.vector:
            self.vector_step(i, name[2:])
        elif i.load or (i.local and i.writes):
            for k in range(i.words):
                self.set_vector(i.operands[0].number + k, 0)
        elif i.scalar_load:
            for k in range(i.words):
                self.s[i.operands[0].number + k] = 0
        elif name.startswith("s_") and i.operands and i.writes:
            self.scalar_step(i, name[2:])
        return at + 1

    def vector_step(self, i, name):
        ops = i.operands
        if name.startswith("cmp"):
            exclusive = name.startswith("cmpx")
            result = self.map(compare(name), [self.value(o) for o in (ops if exclusive else ops[1:])])
            lanes = self.mask["exec"]
            if isinstance(result, list):
                mask = sum(1 << k for k in range(LANES) if result[k]) & lanes
            else:
                mask = lanes if result else 0
            self.set_wide(ops[0], mask) if not exclusive else self.mask.update(exec=mask)
        elif name == "cndmask_b32":
            mask = self.wide(ops[3]) if len(ops) > 3 else self.mask["vcc"]
            no, yes = self.value(ops[1]), self.value(ops[2])
            if mask in (0, FULL):
                result = yes if mask else no
            else:
                no, yes = (x if isinstance(x, list) else [x] * LANES for x in (no, yes))
                result = [yes[k] if mask >> k & 1 else no[k] for k in range(LANES)]
            self.set_vector(ops[0].number, result)
        elif name == "lshrrev_b64":  # the driver moves pairs of registers with it
            for k in (0, 1):
                source = ops[2]
                kind = {"v": self.v.get(source.number + k, 0), "s": self.s.get(source.number + k, 0)}
                self.set_vector(ops[0].number + k, kind.get(source.kind, source.value if k == 0 else 0))
        elif name == "swap_b32":
            a, b = (self.v.get(o.number, 0) for o in ops)
            self.set_vector(ops[0].number, b)
            self.set_vector(ops[1].number, a)
        elif name.startswith(("readfirstlane", "readlane")):
            value, lanes = self.value(ops[1]), self.mask["exec"]
            lane = (lanes & -lanes).bit_length() - 1 if lanes else 0
            self.set_scalar(ops[0], value[lane] if isinstance(value, list) else value)
        elif name in INTEGER:
            function, size = INTEGER[name], 3 if name.count("_") > 3 else None
            result = self.map(lambda *x: function(*x) & M32, [self.value(o) for o in ops[1:size]])
            self.set_vector(ops[0].number, result)
        else:  # arithmetic on floats
            if not re.match(r"(fma|fmac|mac|add_f|sub|mul_f|max_f|min_f|exp|log|sqrt|rsq|cvt|cos|sin|fract|floor|ldexp|"
                            r"rndne|trunc|med3_f|dual|div|frexp|pk)", name):
                self.unknown.add(i.name)
            for k in range(ops[0].count):
                self.set_vector(ops[0].number + k, 0)

    def scalar_step(self, i, name):
        ops = i.operands
        if name.startswith("cmpk_") or name.startswith("cmp_"):
            self.scc = int(compare("s_" + name.replace("cmpk", "cmp"))(self.scalar(ops[0]), self.scalar(ops[1])))
        elif name.endswith("and_not1_wrexec_b64"):
            self.mask["exec"] = self.wide(ops[1]) & ~self.mask["exec"] & FULL
            self.set_wide(ops[0], self.mask["exec"])
            self.scc = int(self.mask["exec"] != 0)
        elif name.endswith("saveexec_b64"):
            old, value = self.mask["exec"], self.wide(ops[1])
            new = {"and": value & old, "or": value | old, "and_not1": value & ~old & FULL}[name[: -len("_saveexec_b64")]]
            self.set_wide(ops[0], old)
            self.mask["exec"], self.scc = new, int(new != 0)
        elif name.endswith("_b64"):
            values = [self.wide(o) for o in ops[1:]]
            base = name[:-4]
            if base == "cselect":
                result = values[0] if self.scc else values[1]
            else:
                result = {"mov": lambda a: a, "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
                          "nor": lambda a, b: ~(a | b), "bfm": lambda a, b: ((1 << (a & 63)) - 1) << (b & 63),
                          "and_not1": lambda a, b: a & ~b, "andn2": lambda a, b: a & ~b, "not": lambda a: ~a,
                          "lshl": lambda a, b: a << (b & 63), "lshr": lambda a, b: a >> (b & 63)}[base](*values) & FULL
                if base != "mov":
                    self.scc = int(result != 0)
            self.set_wide(ops[0], result)
        elif name == "cselect_b32":
            self.set_scalar(ops[0], self.scalar(ops[1] if self.scc else ops[2]))
        elif name in ("addk_i32", "mulk_i32"):
            a, b = self.scalar(ops[0]), self.scalar(ops[1])
            self.set_scalar(ops[0], a + b if name[0] == "a" else a * b)
        elif name == "bfe_u32":
            a, b = self.scalar(ops[1]), self.scalar(ops[2])
            self.set_scalar(ops[0], a >> (b & 31) & ((1 << (b >> 16 & 127)) - 1))
        elif name in INTEGER:
            values = [self.scalar(o) for o in ops[1:]]
            result = INTEGER[name](*values)
            if name.startswith(("min", "max")):
                self.scc = int(result == values[0])
            elif name in ("add_u32", "sub_u32"):
                self.scc = int(not 0 <= result <= M32)
            elif not name.startswith(("mov", "mul", "brev", "bfm", "pack")):
                self.scc = int(result & M32 != 0)
            self.set_scalar(ops[0], result)
        else:
            self.unknown.add(i.name)

    # The clock.

    def time(self, i):
        name = i.name
        if name.startswith("s_waitcnt"):
            if "depctr" not in name:
                self.wait(i.text)
            return
        if name.startswith(("s_clause", "s_delay", "s_nop", "s_sendmsg", "s_set")):
            return
        if name == "s_barrier":
            self.clock += BARRIER
            return
        start = max([self.clock] + [self.ready.get(r, 0) for r in i.reads])
        if i.vector:
            cost = self.cycles * (4 if SLOW.match(name) else 1)
            self.clock = start + cost
            self.vector += cost
            self.fmas += i.multiply_add
            for register in i.writes:
                self.ready[register] = start + cost + RESULT
            return
        self.clock = start + 1
        if i.local:
            cost = i.words * self.cycles
            self.local_bus = max(self.local_bus, start) + cost
            self.local += cost
            self.pending_local.append(self.local_bus + LOCAL)
        elif i.load or i.store:
            self.bus = max(self.bus, start) + i.words * self.cycles
            if i.load:
                self.pending.append((self.bus + GLOBAL, self.fmas, i.words))
        elif i.scalar_load:
            self.pending_local.append(start + SCALAR)
        else:
            for register in i.writes:
                self.ready[register] = start + 2

    def wait(self, text):
        found = re.search(r"vmcnt\((\d+)\)", text)
        while found and len(self.pending) > int(found[1]):
            done, fmas, words = self.pending.pop(0)
            self.clock = max(self.clock, done)
            if words == 4:
                self.flights.append(self.fmas - fmas)
        found = re.search(r"lgkmcnt\((\d+)\)", text)
        while found and len(self.pending_local) > int(found[1]):
            self.clock = max(self.clock, self.pending_local.pop(0))
