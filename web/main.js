// The page: starts the workers and connects the parts.

import { notice } from "./notices.js";
import { connect } from "./rpc.js";
import { exposeTo } from "./script.js";
import { Session } from "./session.js";
import { fromHash } from "./settings.js";
import { setUpTraining } from "./train.js";

const byId = (id) => document.getElementById(id);

// Test images of an evaluation: all of them take minutes on a software adapter.
const TESTS = { software: 500 };

const worker = connect(new Worker("worker.js", { type: "module" }), (event, value) => {
  if (event === "train") session.on(value);
});
const session = new Session(worker);
if (new URLSearchParams(location.search).has("test")) exposeTo(window, { worker, session });

const { settings, wrong } = fromHash(location.hash);
if (wrong.length) notice("address", `The address has settings that this page does not know or cannot read: ${wrong.join(", ")}. The usual values take their place.`);
if (settings.data !== "mnist") {
  notice("address", `This run is on the data set “${settings.data}”. Drop its files onto the page to repeat it.`);
}

const training = setUpTraining(session);
session.addEventListener("change", () => {
  byId("adapter").textContent = session.state === "opening" ? "opening…" : session.adapter.name;
  session.tests = TESTS[session.adapter.type];
});
await session.open({ ...settings, data: "mnist" });
training.fill();
