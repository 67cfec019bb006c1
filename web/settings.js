// The settings of a run: the form, and the text behind the # of the address, so that a link repeats a run.

// Larger numbers would be rounded.
const whole = (text) => (/^\d+$/.test(text.trim()) && Number.isSafeInteger(Number(text)) ? Number(text) : NaN);
const count = (text) => whole(text) || NaN; // at least 1
const real = (text) => (text.trim() === "" ? NaN : Number(text));
const list = (text) => text.split(/[\s,]+/).filter(Boolean).map(count);
const word = (text) => text;
const flag = (text) => text === "true";

// [name in the address, name in the library, reader, default]
const FIELDS = [
  ["data", "data", word, "mnist"],
  ["seed", "seed", whole, 0],
  ["batch", "batch", count, 32],
  ["epochs", "epochs", count, 10],
  ["steps", "steps", count, null],
  ["lr", "lr", (text) => real(text) > 0 ? real(text) : NaN, 0.0001],
  ["beta", "beta", real, 1],
  ["latent-dim", "latentDim", count, 2],
  ["encoder-filters", "encoderFilters", list, [32, 64]],
  ["decoder-filters", "decoderFilters", list, null],
  ["kl", "kl", word, "mc"],
  ["flip", "flip", flag, false],
];

/** Whether two settings give the same configuration. */
export const same = (a, b) => toHash(a) === toHash(b);

const LIBRARY = FIELDS.map(([, name]) => name).filter((name) => name !== "data");

/** What the library takes. */
export const forLibrary = (settings) =>
  Object.fromEntries(LIBRARY.map((name) => [name, settings[name]]).filter(([, value]) => value != null));

export const defaults = () => Object.fromEntries(FIELDS.map(([, name, , value]) => [name, value]));

/** Settings as `seed=7&batch=32…`: every one, so that a link means the same in later versions. */
export function toHash(settings) {
  const shown = FIELDS.filter(([, name]) => settings[name] != null);
  return shown.map(([key, name]) => `${key}=${encodeURIComponent(String(settings[name])).replaceAll("%2C", ",")}`).join("&");
}

/** The settings in an address, and what was wrong with it. */
export function fromHash(hash) {
  const settings = defaults();
  const wrong = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const field = FIELDS.find(([known]) => known === key);
    const value = field?.[2](text);
    if (!field || bad(value)) wrong.push(`${key}=${text}`);
    else settings[field[1]] = value;
  }
  return { settings, wrong };
}

const bad = (value) => (Array.isArray(value) ? value.length === 0 || value.some(Number.isNaN) : Number.isNaN(value));

/** The form's fields have the names of the address. */
export function fillForm(form, settings) {
  for (const [key, name] of FIELDS) {
    const input = form.elements[key];
    if (input?.type === "checkbox") input.checked = settings[name];
    else if (input) input.value = settings[name] == null ? "" : String(settings[name]).replaceAll(",", ", ");
  }
}

/** The settings in the form; throws with the name of the field that is wrong. */
export function readForm(form) {
  const settings = defaults();
  for (const [key, name, read, usual] of FIELDS) {
    const input = form.elements[key];
    if (!input) continue;
    const text = input.type === "checkbox" ? String(input.checked) : input.value;
    if (text.trim() === "" && usual === null) continue;
    const value = read(text);
    if (bad(value)) throw Object.assign(new Error(`“${input.labels[0].firstChild.textContent.trim()}” has no valid value: ${text || "empty"}`), { input });
    settings[name] = value;
  }
  return settings;
}
