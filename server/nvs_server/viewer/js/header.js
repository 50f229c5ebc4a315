// The bar at the top of every page.

import { button, el } from "./lib/dom.js";
import { icon } from "./lib/icons.js";
import { root } from "./lib/root.js";
import { forgetKey } from "./lib/session.js";

/** `middle` and `end` are the page's own parts. */
export function header({ me, middle = [], end = [] }) {
  return el(
    "header",
    { class: "top-bar" },
    el(
      "a",
      { class: "brand", href: root.href, "aria-label": "All scenes" },
      icon("cube"),
      el("span", {}, "nvs"),
    ),
    el("div", { class: "top-middle" }, middle),
    el("div", { class: "top-end" }, end, me.auth === "key" && owner(me)),
  );
}

function owner(me) {
  return el(
    "span",
    { class: "owner" },
    el("span", { class: "muted", title: `Key ${me.key_name}` }, me.owner),
    button("Sign out", {
      class: "small",
      onclick: () => {
        forgetKey();
        location.assign(root);
      },
    }),
  );
}
