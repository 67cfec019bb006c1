// Files for the reader to keep.

/** Lets the browser save bytes or a blob under a name. */
export function save(content, name, type = "application/octet-stream") {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const byId = (id) => document.getElementById(id);

export function setUpDownloads({ worker, explorer, session, fail }) {
  const on = (id, work) => byId(id).addEventListener("click", () => work().catch(fail));
  on("save-model", async () => save(await explorer.call("file"), "model.safetensors"));
  on("save-checkpoint", async () => {
    const bytes = await worker.call("checkpoint");
    if (!bytes) throw new Error("There is no checkpoint yet: start training first.");
    save(bytes, "checkpoint.safetensors");
    save(session.config, "config.json", "application/json");
  });
  on("save-encoder", async () => save(await explorer.call("onnx", [false]), "encoder.onnx"));
  on("save-decoder", async () => save(await explorer.call("onnx", [true]), "decoder.onnx"));
  on("save-plane", async () => {
    byId("cells").toBlob((blob) => save(blob, "plane.png"));
  });
}
