// A menu behind a button, on <details>: closes on Escape, outside clicks and choices.

import { button, el } from "./dom.js";

/** A menu of items {label, icon, action, danger}. */
export function menu(label, { icon, title, className = "", items }) {
  const summary = el(
    "summary",
    {
      class: label ? "button" : "icon-button",
      title,
      "aria-label": label ? undefined : title,
    },
    icon,
    label && el("span", {}, label),
  );
  const details = el(
    "details",
    { class: `menu ${className}` },
    summary,
    el(
      "div",
      { class: "menu-items" },
      items.map((item) =>
        button(item.label, {
          icon: item.icon,
          class: item.danger ? "menu-item danger-text" : "menu-item",
          onclick: () => {
            close();
            item.action();
          },
        }),
      ),
    ),
  );
  const close = () => {
    details.open = false;
    summary.focus();
  };
  const outside = (event) => {
    if (!details.contains(event.target)) details.open = false;
  };
  details.addEventListener("toggle", () => {
    if (details.open) document.addEventListener("pointerdown", outside);
    else document.removeEventListener("pointerdown", outside);
  });
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) {
      event.stopPropagation();
      close();
    }
  });
  return details;
}
