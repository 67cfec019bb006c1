// A hidden tab: browsers slow it down or freeze it, so that training pauses and says so.

import { notice } from "./notices.js";

export function pauseWhenHidden(session, train) {
  let paused = false;
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden) {
      if (!["starting", "training"].includes(session.state)) return;
      if (document.getElementById("in-background").checked) return;
      paused = true;
      document.title = "Paused – Train a VAE in your browser";
      await session.pause();
      return;
    }
    if (!paused) return;
    paused = false;
    document.title = "Train a VAE in your browser";
    notice("hidden", `Training paused at step ${session.step.toLocaleString("en")} while this tab was hidden. It continues now.`);
    await session.rested;
    train();
  });
}
