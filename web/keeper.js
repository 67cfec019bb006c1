// Keeps the run in the browser's storage, and offers to continue it after a reload.

import { notice } from "./notices.js";
import { forget, keep, kept } from "./store.js";

const EVERY = 5000; // milliseconds between copies

export function setUpKeeper({ worker, session, fail, onContinue }) {
  let last = 0;
  let warned = false;

  async function save() {
    last = Date.now();
    try {
      const checkpoint = await worker.call("checkpoint");
      if (!checkpoint) return;
      const { source, settings, step, history } = session;
      await keep({ checkpoint, source, settings, step, history: history.save(), time: last });
    } catch (error) {
      if (!warned) notice("keeper", `The run cannot be kept over a reload: the browser's storage failed (${error.message}).`);
      warned = true;
    }
  }

  session.addEventListener("checkpoint", () => {
    if (Date.now() - last > EVERY) save();
  });
  session.addEventListener("rest", save);

  return {
    /** Offers the kept run, if there is one. */
    async offer() {
      const run = await kept().catch(() => undefined);
      if (!run) return;
      const discard = () => forget().catch(fail);
      notice("continue", `A run on “${run.source.name}” was kept here at step ${run.step.toLocaleString("en")}, ${ago(run.time)}. Continue?`, {
        close: false,
        buttons: [
          { text: "Continue", press: () => onContinue(run).catch(fail) },
          { text: "Discard", press: discard },
        ],
      });
    },
  };
}

function ago(time) {
  const minutes = Math.round((Date.now() - time) / 60_000);
  if (minutes < 1) return "less than a minute ago";
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? "" : "s"} ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`;
}
