// Short messages at the edge of the page, read out by screen readers.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = 6000;

const place = el("div", { class: "notices", role: "status", "aria-live": "polite" });
document.body.append(place);

/** Shows a message; of kind "problem" or "progress" it stays until it is closed. */
export function notify(text, { kind = "note", remedy = "" } = {}) {
  const notice = el(
    "div",
    { class: `notice notice-${kind}` },
    kind === "problem" && icon("warning"),
    el("div", {}, el("p", {}, text), remedy && el("p", { class: "muted" }, remedy)),
    button("", {
      icon: icon("close"),
      title: "Close this message",
      class: "icon-button",
      onclick: () => notice.remove(),
    }),
  );
  place.append(notice);
  if (kind === "note") setTimeout(() => notice.remove(), SHOWN_MS);
  return notice;
}

/** Shows what went wrong, with its remedy. */
export function notifyProblem(error) {
  if (error.name === "AbortError") return;
  if (error.name !== "Problem") throw error;
  notify(error.detail || error.title, { kind: "problem", remedy: error.remedy });
}

/** An event listener that shows the problems of an async function. */
export const guarded =
  (action) =>
  async (...parts) => {
    try {
      return await action(...parts);
    } catch (error) {
      return notifyProblem(error);
    }
  };
