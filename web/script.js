// `index.html?test`: `window.cvae` for scripts. The contract is stable; see web/README.md.

import { passes } from "./prove.js";
import { defaults } from "./settings.js";

const LIMIT = 500;

export function exposeTo(window, { worker, session, open }) {
  const call = worker.call;
  const ready = () => session.ready;
  const flat = (z) => z.flat();

  window.cvae = {
    /** Trains a new run. Settings are those of settings.js; `tests` limits the test images. */
    async train({ data = "mnist", tests = LIMIT, ...settings } = {}) {
      await ready();
      await session.reset();
      await session.use({ ...defaults(), ...settings, data });
      await session.train({ tests });
      return {
        loss: session.history.all(),
        elbo: session.history.elbo(),
        adapter: session.adapter.name,
        config: session.config,
      };
    },

    /** Mean terms over the first test images. */
    async evaluate({ limit = LIMIT, seed = 0 } = {}) {
      await ready();
      const { elbo, reconstruction, kl } = await call("evaluate", [limit, seed]);
      return { elbo, reconstruction, kl };
    },

    /** Mean and log-variance of the first test images, an array each. */
    async encode({ limit = LIMIT } = {}) {
      await ready();
      const flatCodes = Array.from(await call("encode", [limit]));
      const { latentDim } = await call("about");
      const width = 2 * latentDim;
      return Array.from({ length: flatCodes.length / width }, (_, i) => flatCodes.slice(i * width, (i + 1) * width));
    },

    /** The image of a code, or the images of an array of codes. */
    async decode(z, label) {
      await ready();
      const many = Array.isArray(z[0]);
      const values = Array.from(await call("decode", [many ? flat(z) : Array.from(z), label]));
      const count = many ? z.length : 1;
      const size = values.length / count;
      return many ? z.map((_, i) => values.slice(i * size, (i + 1) * size)) : values;
    },

    /** The bytes of model.safetensors. */
    model: () => call("model"),

    /** The bytes of checkpoint.safetensors, and the text of its config.json. */
    checkpoint: async () => ({ bytes: await call("checkpoint"), config: session.config }),

    /** Takes a model or a checkpoint, as an array of bytes. */
    async load(bytes, name = "model.safetensors") {
      await ready();
      return call("load", [Uint8Array.from(bytes), name]);
    },

    /** Goes on with a checkpoint to `steps` steps. */
    async resume(bytes, { steps, tests = LIMIT } = {}) {
      await ready();
      await session.take(Uint8Array.from(bytes));
      await session.train({ tests, steps });
      return { loss: session.history.all(), adapter: session.adapter.name };
    },

    /** The parity check; with `cases`, recorded cases of the folder golden/ too. */
    async check({ cases = [], kernels = true } = {}) {
      await ready();
      const { sections } = await session.check({ cases, kernels });
      const rows = sections.flatMap(({ name, rows }) => rows.map((row) => ({ section: name, ...row })));
      return { passed: rows.length > 0 && rows.every(passes), rows };
    },

    /** Drops files, as an array of `{ name, bytes }`, onto the page. */
    drop: (files) => open(files.map(({ name, bytes, type }) => ({ file: new File([Uint8Array.from(bytes)], name.split("/").at(-1), { type }), path: name })), files[0].name.split("/")[0]),

    /** Destroys the device, to test what the page does then. */
    lose: () => call("lose"),

    /** What the page is doing. */
    state: () => ({ state: session.state, step: session.step, adapter: session.adapter }),
  };
}
