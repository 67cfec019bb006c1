// What a dropped file is, by its first bytes.

const MOST_HEADER = 10 << 20;

/** model, checkpoint, packed, npy, idx, picture, config or unknown. */
export async function sniff(file) {
  const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (file.name.endsWith(".json")) return "config";
  if (starts(start, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59])) return "npy";
  if (starts(start, [0x1f, 0x8b])) return /idx|ubyte/i.test(file.name) ? "idx" : "packed";
  if (starts(start, [0, 0, 8]) && (start[3] === 1 || start[3] === 3)) return "idx";
  if (start.length > 8 && start[8] === 0x7b) return sniffSafetensors(file, start);
  if (file.type.startsWith("image/")) return "picture";
  return "unknown";
}

const starts = (bytes, wanted) => wanted.every((byte, i) => bytes[i] === byte);

async function sniffSafetensors(file, start) {
  const length = Number(new DataView(start.buffer).getBigUint64(0, true));
  if (length > MOST_HEADER || length + 8 > file.size) return "unknown";
  try {
    const header = JSON.parse(await file.slice(8, 8 + length).text());
    const notes = header.__metadata__ ?? {};
    if (notes.depth) return "packed";
    return header.state && notes.run ? "checkpoint" : "model";
  } catch {
    return "unknown";
  }
}

/** The parts of an IDX set, by the usual names; a single images file is the training set. */
export function sortIdx(files) {
  const test = files.filter((file) => /t10k|test/i.test(file.name));
  const train = files.filter((file) => !test.includes(file));
  const find = (list, labels) => list.find((file) => labels === /label|idx1/i.test(file.name));
  const [only] = train.length ? [train] : [test];
  if (!find(only, false)) throw new Error("These IDX files have labels only: drop the file with the images too.");
  const parts = { train: find(only, false), trainLabels: find(only, true) };
  return train.length ? { ...parts, test: find(test, false), testLabels: find(test, false) && find(test, true) } : parts;
}
