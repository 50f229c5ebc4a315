// Buttons on the picture that walk while they are held: for touch screens, which have no
// keys (the style sheet shows them there).

import { button, el } from "../lib/dom.js";

const STEPS = [
  ["KeyW", "Walk forward", "↑"],
  ["KeyA", "Walk left", "←"],
  ["KeyS", "Walk back", "↓"],
  ["KeyD", "Walk right", "→"],
];

/** The buttons; `keys` are the HeldKeys that they press. */
export const walkPad = (keys) =>
  el(
    "div",
    { class: "walk-pad", role: "group", "aria-label": "Walk" },
    STEPS.map(([code, title, sign]) =>
      button("", {
        icon: el("span", { "aria-hidden": "true" }, sign),
        title,
        dataset: { code },
        onpointerdown: (event) => {
          event.target.setPointerCapture(event.pointerId);
          keys.press(code);
        },
        onlostpointercapture: () => keys.release(code),
        oncontextmenu: (event) => event.preventDefault(),
      }),
    ),
  );
