// The losses of every step, the reports of the epochs, and the estimates in between.

export class History {
  #losses = [];
  #before = 0; // steps of the run before the first loss here
  epochs = [];
  estimates = []; // { step, elbo, reconstruction, kl }

  /** Losses of the steps that end at `step`. */
  add(step, losses) {
    if (this.#losses.length === 0) this.#before = step - losses.length;
    for (const loss of losses) this.#losses.push(loss);
  }

  /** Forgets what came after `step`: the run goes on from there. */
  cut(step) {
    this.#losses.length = Math.max(0, Math.min(this.#losses.length, step - this.#before));
    this.epochs = this.epochs.filter((epoch) => epoch.step <= step);
    this.estimates = this.estimates.filter((estimate) => estimate.step <= step);
  }

  /** A later report of the same epoch replaces the earlier one. */
  report(epoch) {
    this.epochs = [...this.epochs.filter(({ step }) => step !== epoch.step), epoch];
  }

  /** The newest terms of the ELBO. */
  terms() {
    const report = this.epochs.at(-1);
    const estimate = this.estimates.at(-1);
    if (!report || estimate?.step > report.step) return estimate;
    return { step: report.step, elbo: report.test_elbo, reconstruction: report.reconstruction, kl: report.kl };
  }

  all() {
    return Array.from(this.#losses);
  }

  elbo() {
    return this.epochs.at(-1)?.test_elbo;
  }

  /** Mean losses `[step, loss]` of at most `count` groups of consecutive steps. */
  curve(count) {
    const size = Math.max(1, Math.ceil(this.#losses.length / count));
    const points = [];
    for (let i = 0; i < this.#losses.length; i += size) {
      const end = Math.min(i + size, this.#losses.length);
      let sum = 0;
      for (let j = i; j < end; j++) sum += this.#losses[j];
      points.push([this.#before + (i + 1 + end) / 2, sum / (end - i)]);
    }
    return points;
  }

  /** Plain data for the browser's storage, and back. */
  save() {
    return { losses: Float32Array.from(this.#losses), before: this.#before, epochs: this.epochs, estimates: this.estimates };
  }

  static from({ losses, before, epochs, estimates }) {
    const history = new History();
    history.#losses = Array.from(losses);
    history.#before = before;
    [history.epochs, history.estimates] = [epochs, estimates ?? []];
    return history;
  }
}
