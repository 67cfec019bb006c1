// The controls, figures and plots of training.

import { dismiss, notice, say } from "./notices.js";
import { plot } from "./plots.js";
import { fillForm, readForm, toHash } from "./settings.js";

const byId = (id) => document.getElementById(id);
const STATES = {
  opening: "Opening the GPU…",
  none: "No GPU: exploring only",
  idle: "Ready",
  starting: "Compiling kernels and evaluating…",
  training: "Training",
  stopping: "Pausing…",
  checking: "Checking the GPU…",
};

const nats = (value) => (value == null ? "–" : value.toFixed(2));
const seconds = (value) => (value == null ? "–" : value < 0.1 ? `${(1000 * value).toFixed(1)} ms` : value < 10 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(0)} s`);

export function setUpTraining(session) {
  const form = byId("settings");
  let dirty = true;

  const fail = (error) => {
    console.error(error);
    notice("train", explain(error, session), { bad: true });
  };

  /** Applies the form; false where it is wrong. */
  async function apply() {
    for (const input of form.elements) input.removeAttribute("aria-invalid");
    try {
      await session.use(readForm(form));
      byId("settings-error").textContent = "";
      history.replaceState(null, "", `#${toHash(session.settings)}`);
      return true;
    } catch (error) {
      error.input?.setAttribute("aria-invalid", "true");
      byId("settings-error").textContent = error.message;
      return false;
    }
  }

  async function train(options) {
    dismiss("train");
    if (!(await apply())) return byId("settings-error").scrollIntoView({ block: "nearest" });
    try {
      const ended = await session.train({ tests: session.tests, ...options });
      if (!options) say(ended ? `Training has ended after ${session.step} steps.` : `Paused at step ${session.step}.`);
    } catch (error) {
      fail(error);
    }
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", apply);
  byId("start").addEventListener("click", () => train());
  byId("step").addEventListener("click", () => train({ count: 1 }));
  byId("pause").addEventListener("click", () => session.pause());
  byId("reset").addEventListener("click", () => session.reset().then(() => say("The run was reset."), fail));

  session.addEventListener("change", () => (dirty = true));
  session.addEventListener("settings", () => {
    if (!form.contains(document.activeElement)) fillForm(form, session.settings);
  });
  session.addEventListener("note", ({ detail }) => notice(`note-${detail.key}`, detail.text));
  window.addEventListener("resize", () => (dirty = true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (dirty = true));

  let plotted = 0;
  function draw(now) {
    requestAnimationFrame(draw);
    if (!dirty || now - plotted < 200) return;
    [dirty, plotted] = [false, now];
    controls(session);
    figures(session);
    plots(session);
  }
  requestAnimationFrame(draw);
  const fill = () => fillForm(form, session.settings);
  return { fill, show: () => (fill(), apply()), train, over: () => isOver(session) };
}

function controls(session) {
  const { state } = session;
  const idle = state === "idle" && session.data !== null;
  const over = isOver(session);
  byId("start").disabled = !idle || over;
  byId("start").textContent = session.step > 0 ? "Continue" : "Start";
  byId("step").disabled = !idle || over;
  byId("pause").disabled = state !== "training" && state !== "starting";
  byId("reset").disabled = !idle || session.config === null;
  byId("state").textContent = stateText(state, session.step, over);
  document.querySelector("#settings fieldset").disabled = session.busy;
}

function stateText(state, step, over) {
  if (state === "idle" && step > 0) return over ? "The run has ended" : "Paused";
  return state === "training" && over ? "Evaluating…" : STATES[state];
}

const isOver = (session) => session.step > 0 && session.step >= lastStep(session);
const lastStep = ({ settings, stepsPerEpoch }) => Math.min(settings.steps ?? Infinity, stepsPerEpoch ? stepsPerEpoch * settings.epochs : Infinity);

function figures(session) {
  const { step, speed, settings, stepsPerEpoch, epoch, history } = session;
  const terms = history.terms();
  const set = (name, text) => {
    const element = byId(`f-${name}`);
    if (element.textContent !== text) element.textContent = text;
  };
  const recent = history.curve(1000).slice(-1)[0];
  set("step", step.toLocaleString("en"));
  set("epoch", stepsPerEpoch ? `${Math.max(1, epoch)} of ${settings.epochs}` : "–");
  set("loss", nats(recent?.[1]));
  set("speed", speed.step ? Math.round(settings.batch / speed.step).toLocaleString("en") : "–");
  set("time", seconds(speed.step));
  set("elbo", nats(terms?.elbo));
  set("reconstruction", nats(terms?.reconstruction));
  set("kl", nats(terms?.kl));
}

function plots({ history }) {
  const { epochs, estimates } = history;
  const dots = (pick) => ({ dots: true, line: false, points: epochs.map((epoch) => [epoch.step, pick(epoch)]) });
  const line = (pick) => ({ points: [...epochs.filter(({ step }) => step === 0), ...estimates].map((terms) => [terms.step, pick(terms)]) });
  const loss = [
    { name: "training loss", color: "--loss", points: history.curve(600) },
    { name: "test −ELBO", color: "--elbo", ...line((terms) => -(terms.elbo ?? terms.test_elbo)) },
    { color: "--elbo", ...dots((epoch) => -epoch.test_elbo) },
  ];
  const terms = [
    { name: "reconstruction error", color: "--reconstruction", ...line((terms) => -terms.reconstruction) },
    { name: "KL divergence", color: "--kl", ...line((terms) => terms.kl) },
    { color: "--reconstruction", ...dots((epoch) => -epoch.reconstruction) },
    { color: "--kl", ...dots((epoch) => epoch.kl) },
  ];
  plot(byId("loss"), loss, { empty: "no steps yet" });
  plot(byId("terms"), terms, { empty: "not evaluated yet" });
}

/** What failed, and what to try. */
function explain(error, session) {
  const { batch } = session.settings;
  if (!/ fits\)/.test(error.message) && /no memory for|out of memory/i.test(error.message)) return `${error.message}\nTry a smaller batch, such as ${Math.max(1, Math.floor(batch / 2))}.`;
  if (error.name === "RuntimeError") return `The program failed (${error.message}). This is a fault of the program. Reload the page: it offers to continue from the last saved checkpoint.`;
  return error.message;
}
