// Files that are dropped onto the page or chosen: images, models and checkpoints.

import { sniff, sortIdx } from "./sniff.js";

const byId = (id) => document.getElementById(id);

/** `take` gets `{ kind, … }` of what was dropped. */
export function setUpDrop(take, fail) {
  const handle = async (entries, name) => {
    try {
      if (entries.length === 0) throw new Error("There is no file in what was dropped.");
      await take(await understand(entries, name));
    } catch (error) {
      fail(error);
    }
  };

  let inside = 0;
  const target = byId("drop");
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside++;
    target.classList.add("over");
  });
  document.addEventListener("dragleave", () => {
    if (--inside <= 0) target.classList.remove("over");
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    inside = 0;
    target.classList.remove("over");
    const { entries, name } = await dropped(event.dataTransfer);
    handle(entries, name);
  });
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", ({ target: input }) => {
      const entries = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
      handle(entries, entries[0]?.path.split("/")[0]);
      input.value = "";
    });
  }
  return handle;
}

/** The files of a drop, those in folders too. */
async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (roots.length === 0) return { entries: [...transfer.files].map((file) => ({ file, path: file.name })), name: transfer.files[0]?.name };
  const entries = [];
  for (const root of roots) await walk(root, entries);
  return { entries, name: roots[0].name };
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (!file.name.startsWith(".")) found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const child of part) await walk(child, found);
  }
}

/** What the files are together. */
async function understand(entries, name) {
  const kinds = new Map();
  for (const entry of entries) {
    const kind = await sniff(entry.file);
    kinds.set(kind, [...(kinds.get(kind) ?? []), entry]);
  }
  const of = (kind) => kinds.get(kind) ?? [];
  const stem = (name ?? entries[0].file.name).replace(/(\.safetensors|\.npy|\.gz)+$/i, "");
  const size = Number(byId("size").value) || undefined;
  if (of("checkpoint").length) return { kind: "checkpoint", file: of("checkpoint")[0].file };
  if (of("model").length) return { kind: "model", file: of("model")[0].file };
  if (of("packed").length) return { kind: "packed", name: stem, file: of("packed")[0].file };
  if (of("npy").length) return { kind: "npy", name: stem, size, file: of("npy")[0].file };
  if (of("idx").length) return { kind: "idx", name: stem, ...sortIdx(of("idx").map(({ file }) => file)) };
  if (of("picture").length) return { kind: "pictures", name: stem, size, files: of("picture") };
  const names = entries.slice(0, 3).map(({ path }) => `“${path}”`).join(", ");
  throw new Error(`${names}: no file that this page can read. It takes pictures, IDX and .npy files, packed sets, and model.safetensors or checkpoint.safetensors of this program.`);
}
