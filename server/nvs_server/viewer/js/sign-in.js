// Asking for the API key, when there is none or the server refuses the one there is.

import { tryKey } from "./lib/api.js";
import { button, el } from "./lib/dom.js";
import { icon } from "./lib/icons.js";
import { forgetKey, keepKey } from "./lib/session.js";

const REASONS = {
  "no-key": [
    "This server asks for a key",
    "It is kept in this tab and sent in a header, never in an address.",
  ],
  "unknown-key": [
    "The key is not valid",
    "It is unknown, expired or revoked. Enter another one.",
  ],
};

let asking = null;

/** Shows the form once; resolves when a key works. */
export function askForKey(problem) {
  asking ??= ask(problem).finally(() => {
    asking = null;
  });
  return asking;
}

async function ask(problem) {
  forgetKey();
  const [title, text] = REASONS[problem.slug] ?? REASONS["unknown-key"];
  const input = el("input", {
    type: "password",
    required: true,
    autocomplete: "current-password",
    spellcheck: "false",
    placeholder: "nvs_…",
    id: "key",
  });
  const remember = el("input", { type: "checkbox" });
  const failure = el("p", { class: "form-error", role: "alert" });
  const form = el(
    "form",
    { class: "sign-in" },
    el(
      "label",
      { class: "field" },
      el("span", { class: "field-label" }, "API key"),
      input,
    ),
    el("label", { class: "check" }, remember, "Remember on this device"),
    failure,
    el(
      "p",
      { class: "muted" },
      "The operator makes keys with ",
      el("code", {}, "nvs keys create"),
      ".",
    ),
    el(
      "div",
      { class: "form-actions" },
      button("Continue", { type: "submit", class: "primary" }),
    ),
  );
  const dialog = el(
    "dialog",
    {
      class: "dialog",
      "aria-labelledby": "sign-in-title",
      dataset: { state: problem.slug },
    },
    el(
      "header",
      { class: "dialog-head" },
      icon("key"),
      el("h2", { id: "sign-in-title" }, title),
    ),
    el("div", { class: "dialog-body" }, el("p", { class: "muted" }, text), form),
  );
  // Browsers close it on Escape in spite of this when nothing was clicked before.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => {
    if (dialog.isConnected) dialog.showModal();
  });
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failure.textContent = "";
      try {
        const key = input.value.trim();
        if (await tryKey(key)) {
          keepKey(key, remember.checked);
          resolve();
        } else {
          failure.textContent = "The server does not know this key, or it was revoked.";
          input.select();
        }
      } catch (error) {
        failure.textContent = `${error.detail} ${error.remedy}`;
      }
    });
  });
  dialog.close();
  dialog.remove();
}
