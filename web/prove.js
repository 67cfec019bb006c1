// The parity check: a button, its progress, and its table.

import { say } from "./notices.js";

const byId = (id) => document.getElementById(id);

// Recorded cases beside the page, of the folder golden/.
const CASES = ["p2", "m5"];

/** JSON has no NaN: a missing share is one. */
export const passes = (row) => typeof row.share === "number" && row.share <= 1;

const short = (value) => (typeof value === "number" ? value.toExponential(1) : "not a number");

export function setUpProof(session, fail) {
  session.addEventListener("change", () => {
    byId("prove").disabled = session.state !== "idle";
  });
  byId("prove").addEventListener("click", async () => {
    byId("prove-table").hidden = true;
    byId("prove-result").textContent = "";
    try {
      const { sections } = await session.check({ cases: CASES });
      fill(sections, session.adapter.name);
    } catch (error) {
      byId("prove-result").textContent = "The check did not finish.";
      fail(error);
    }
    byId("prove-progress").textContent = "";
  });
  return (name) => (byId("prove-progress").textContent = `Checking ${name}…`);
}

function fill(sections, adapter) {
  const rows = sections.flatMap((section) => section.rows.map((row) => ({ section: section.name, ...row })));
  const failed = rows.filter((row) => !passes(row));
  const verdict = failed.length
    ? `${failed.length} of ${rows.length} comparisons failed on ${adapter}.`
    : `All ${rows.length} comparisons are within their limits on ${adapter}.`;
  byId("prove-result").textContent = verdict;
  byId("prove-result").className = failed.length ? "bad" : "good";
  say(verdict);
  const worst = (a, b) => (b.share ?? Infinity) - (a.share ?? Infinity);
  byId("prove-rows").replaceChildren(...rows.sort(worst).map(line));
  byId("prove-table").hidden = false;
}

function line(row) {
  const made = document.createElement("tr");
  const cells = [row.section, row.kernel ? `${row.kernel} → ${row.tensor}` : row.tensor, row.measure, short(row.found), short(row.limit), passes(row) ? "pass" : "FAIL"];
  made.append(...cells.map((text, i) => Object.assign(document.createElement(i === 1 ? "th" : "td"), { textContent: text })));
  made.children[1].scope = "row";
  made.className = passes(row) ? "" : "bad";
  return made;
}
