// Modal dialogs on the <dialog> element.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";

/** Opens a dialog; it removes itself when closed. Returns the element. */
export function openDialog(
  title,
  content,
  { actions = [], className = "", onClose = () => {} } = {},
) {
  const heading = `dialog-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const dialog = el(
    "dialog",
    { class: `dialog ${className}`, "aria-labelledby": heading },
    el(
      "header",
      { class: "dialog-head" },
      el("h2", { id: heading }, title),
      button("", {
        icon: icon("close"),
        title: "Close",
        class: "icon-button",
        onclick: () => dialog.close(),
      }),
    ),
    el("div", { class: "dialog-body" }, content),
    actions.length > 0 && el("footer", { class: "dialog-actions" }, actions),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks a question; resolves to whether the answer was yes. */
export function confirmed(title, text, yes) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog(title, el("p", {}, text), {
      actions: [
        button("Cancel", { onclick: () => dialog.close() }),
        button(yes, {
          class: "danger",
          onclick: () => {
            answer = true;
            dialog.close();
          },
        }),
      ],
      onClose: () => resolve(answer),
    });
  });
}

/** Asks for a line of text; resolves to it, or null. */
export function askedText(title, label, value) {
  return new Promise((resolve) => {
    let answer = null;
    const input = el("input", { type: "text", value, required: true, maxlength: 200 });
    const form = el(
      "form",
      {
        id: "ask-text",
        onsubmit: (event) => {
          event.preventDefault();
          answer = input.value.trim() || null;
          dialog.close();
        },
      },
      el(
        "label",
        { class: "field" },
        el("span", { class: "field-label" }, label),
        input,
      ),
    );
    const dialog = openDialog(title, form, {
      actions: [
        button("Cancel", { onclick: () => dialog.close() }),
        button("Save", { type: "submit", form: "ask-text", class: "primary" }),
      ],
      onClose: () => resolve(answer),
    });
    input.select();
  });
}
