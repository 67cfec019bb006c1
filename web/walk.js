// A walk on a straight line between two codes, there and back.

import { save } from "./downloads.js";

const byId = (id) => document.getElementById(id);
const SECONDS = 4; // one way
const FRAMES = 24; // of the GIF, one way

export class Walk {
  #plane;
  #hooks;
  #frame = 0;

  constructor(plane, hooks) {
    this.#plane = plane;
    this.#hooks = hooks;
    byId("set-a").addEventListener("click", () => this.#set("from"));
    byId("set-b").addEventListener("click", () => this.#set("to"));
    byId("walk").addEventListener("click", () => (this.#frame ? this.stop() : this.#start()));
    byId("walk-gif").addEventListener("click", () => this.#gif().catch(this.#hooks.fail));
  }

  #set(end) {
    this.#plane.marks[end] = [...this.#hooks.code()];
    this.#plane.redraw();
    this.#buttons();
  }

  #buttons() {
    const { from, to } = this.#plane.marks;
    byId("walk").disabled = byId("walk-gif").disabled = !(from && to);
    byId("walk").textContent = this.#frame ? "Stop walking" : "Walk from A to B";
    byId("walk").setAttribute("aria-pressed", String(this.#frame !== 0));
  }

  #at(share) {
    const { from, to } = this.#plane.marks;
    return from.map((value, i) => value + share * (to[i] - value));
  }

  #start() {
    const begun = performance.now();
    const step = (now) => {
      const way = Math.max(0, now - begun) / 1000 / SECONDS;
      // There and back, slower at both ends.
      this.#hooks.go(this.#at(0.5 - 0.5 * Math.cos(Math.PI * way)));
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
    this.#buttons();
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#buttons();
  }

  async #gif() {
    const way = Array.from({ length: 2 * FRAMES }, (_, i) => this.#at(0.5 - 0.5 * Math.cos((Math.PI * i) / FRAMES)));
    save(await this.#hooks.gif(way), "walk.gif", "image/gif");
  }
}
