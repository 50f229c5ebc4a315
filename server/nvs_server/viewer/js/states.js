// Cards for the states in which there is nothing else to show.

import { el } from "./lib/dom.js";
import { icon } from "./lib/icons.js";

/** A card with an icon, a title, a text, and what can be done. */
export function stateCard({
  icon: name,
  title,
  text,
  remedy,
  actions = [],
  content,
  state,
}) {
  return el(
    "div",
    { class: "state-card", dataset: state ? { state } : {} },
    icon(name),
    el("h2", {}, title),
    text && el("p", {}, text),
    remedy && el("p", { class: "muted" }, remedy),
    content,
    actions.length > 0 && el("div", { class: "form-actions" }, actions),
  );
}
