// Steps per second, from the times at which progress arrives.

export class Speed {
  #last;
  #seconds; // per step

  /** Training pauses or begins: the time until the next progress does not count. */
  restart() {
    this.#last = undefined;
  }

  progress(steps, now = performance.now()) {
    if (this.#last !== undefined && steps > 0) {
      const seconds = (now - this.#last) / 1000 / steps;
      // Reports of few steps weigh less.
      const weight = Math.min(0.5, 0.05 * steps);
      this.#seconds = this.#seconds === undefined ? seconds : (1 - weight) * this.#seconds + weight * seconds;
    }
    this.#last = now;
  }

  /** Seconds of a step, or undefined at first. */
  get step() {
    return this.#seconds;
  }
}
