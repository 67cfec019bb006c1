// Messages: notices that stay at the top of the page, and a live region for screen readers.

const byId = (id) => document.getElementById(id);

/** Says something to screen readers. */
export function say(text) {
  byId("live").textContent = text;
}

/** Shows a notice. A notice of the same key replaces it. Buttons are `{ text, press }`. */
export function notice(key, text, { bad = false, buttons = [], close = true } = {}) {
  dismiss(key);
  const box = document.createElement("div");
  box.className = bad ? "notice error-notice" : "notice";
  box.dataset.key = key;
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  for (const { text, press } of buttons) box.append(button(text, () => (dismiss(key), press())));
  if (close) box.append(button("Close", () => dismiss(key)));
  byId("notices").append(box);
  say(text);
}

export function dismiss(key) {
  document.querySelector(`.notice[data-key="${CSS.escape(key)}"]`)?.remove();
}

function button(text, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", press);
  return made;
}
