"""Assembly of AMD's GPUs as Mesa's RADV prints it: instructions, their operands, and labels."""

import re
import struct

REGISTER = re.compile(r"^([vs])(?:(\d+)|\[(\d+):(\d+)\])$")
NAMED = {"vcc": 2, "exec": 2, "scc": 1, "m0": 1, "vcc_lo": 1, "vcc_hi": 1, "exec_lo": 1, "exec_hi": 1}
WORDS = {"b32": 1, "b64": 2, "b96": 3, "b128": 4, "dword": 1, "dwordx2": 2, "dwordx3": 3, "dwordx4": 4}


def bits(value):
    """The 32 bits of a float."""
    return struct.unpack("<I", struct.pack("<f", value))[0]


class Operand:
    """A register, or a constant. `kind` is v, s, a special register's name, or `constant`."""

    def __init__(self, text):
        self.text = text
        self.negative = text.startswith("-") and not re.match(r"^-[\d.]", text)
        self.absolute = "|" in text
        text = text.lstrip("-").strip("|") if self.negative or self.absolute else text
        found = REGISTER.match(text)
        self.count, self.number, self.value = 1, 0, 0
        if found:
            self.kind = found[1]
            self.number = int(found[2] or found[3])
            self.count = int(found[4] or self.number) - self.number + 1
        elif text in NAMED:
            self.kind, self.count = text, NAMED[text]
        else:
            self.kind = "constant"
            try:
                self.value = int(text, 0) & 0xFFFFFFFF
            except ValueError:
                self.value = bits(float(text)) if re.match(r"^-?[\d.]", text) else 0

    def registers(self):
        """Names of the registers that it covers."""
        if self.kind in "vs":
            return [f"{self.kind}{self.number + i}" for i in range(self.count)]
        return [] if self.kind == "constant" else [self.kind.split("_")[0]]


class Instruction:
    """An instruction, with the operands that it writes first."""

    def __init__(self, text):
        self.text = text
        name, _, rest = text.partition(" ")
        self.full = name
        self.name = re.sub(r"_(e32|e64|dpp|sdwa)$", "", name)
        # Commas also separate the values of modifiers, which follow the last operand.
        words = [part.strip() for part in re.split(r",(?![^\[]*\])", rest)] if rest.strip() else []
        self.operands = [Operand(part.split()[0]) for part in words if part]
        self.words = next((n for ending, n in WORDS.items() if self.name.endswith("_" + ending)), 1)
        self.load = bool(re.match(r"(buffer|global|scratch)_load", self.name))
        self.store = bool(re.match(r"(buffer|global|scratch)_store", self.name))
        self.scalar_load = bool(re.match(r"s_(buffer_)?load", self.name))
        self.local = self.name.startswith("ds_")
        self.vector = self.name.startswith("v_")
        self.multiply_add = bool(re.match(r"v_(dual_)?(fma|fmac|mac|pk_fma)", self.name))
        self.writes, self.reads = self._roles()
        self.target = words[0] if "branch" in name and words else None

    def _roles(self):
        ops = self.operands
        if self.store or self.name.startswith(("ds_store", "ds_write")):
            return [], [r for o in ops for r in o.registers()]
        if self.name.startswith("s_cmp") or self.name.startswith("s_bitcmp"):
            return ["scc"], [r for o in ops for r in o.registers()]
        if "branch" in self.name:
            return [], [{"s": "scc", "v": "vcc", "e": "exec"}[self.name.split("_")[-1][0]]] if "cbranch" in self.name else []
        if self.name.startswith(("s_waitcnt", "s_barrier", "s_clause", "s_nop", "s_delay", "s_endpgm", "s_sendmsg", "s_set")):
            return [], []
        reads = [r for o in ops[1:] for r in o.registers()]
        writes = ops[0].registers() if ops else []
        if re.search("fmac|mac_|_mulk|_addk", self.name):
            reads += writes
        if self.name == "v_swap_b32":
            writes = reads = writes + reads
        if self.name.startswith("v_cmpx"):
            writes, reads = ["exec"], [r for o in ops for r in o.registers()]
        if "saveexec" in self.name or "wrexec" in self.name:
            writes, reads = writes + ["exec", "scc"], reads + ["exec"]
        elif self.name.startswith("s_") and not re.match(r"s_(mov|mul|load|buffer|cselect|pack|brev|bfm|cmov)", self.name):
            writes = writes + ["scc"]
        if self.name.startswith("s_cselect") or self.name.startswith("s_addc"):
            reads.append("scc")
        return writes, reads


def read(path):
    """Instructions of a file, and the index of each label."""
    code, labels = [], {}
    for line in open(path, encoding="utf-8"):
        line = line.split(";")[0].rstrip()
        if line.endswith(":") and not line.startswith("\t"):
            labels[line[:-1]] = len(code)
        elif line.startswith("\t") and line.strip():
            code.append(Instruction(line.strip()))
    return code, labels


def inputs(code):
    """Scalar registers that the driver sets: those read before they are written."""
    written, found = set(), []
    for instruction in code:
        found += [r for r in instruction.reads if r[0] == "s" and r[1:].isdigit() and r not in written]
        written.update(instruction.writes)
    return sorted({int(r[1:]) for r in found})
