// The elements of the timeline's drawer.

import { button, el, inlineField, select } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { EASES } from "./keyframes.js";

export const FPS = [12, 24, 30, 60];

/** Elements by name; `on` holds the keyframes, the track, and what the buttons do. */
export function timelineControls(on) {
  const pick = () => {
    const [chosen] = file.files;
    file.value = "";
    if (chosen) on.onImport(chosen);
  };
  const play = button("", {
    icon: icon("play"),
    title: "Play (Space)",
    class: "icon-button",
    onclick: () => on.onPlay(),
  });
  const addKey = button("Key", {
    icon: icon("plus"),
    title: "Add this view as a key (K)",
    class: "small",
    onclick: () => on.onAdd(),
  });
  const updateKey = button("Set to this view", {
    class: "small",
    onclick: () => on.onUpdate(),
  });
  const removeKey = button("", {
    icon: icon("trash"),
    title: "Delete the key",
    class: "icon-button",
    onclick: () => on.onRemove(),
  });
  const length = el("input", {
    type: "number",
    min: 0.1,
    max: 600,
    step: 0.1,
    class: "narrow tabular",
    onchange: () => on.keyframes.setSeconds(Number(length.value)),
  });
  const ease = select(Object.entries(EASES), {
    onchange: () => on.keyframes.set({ ease: ease.value }),
  });
  const fps = select(
    FPS.map((rate) => [rate, `${rate} fps`]),
    { value: 30 },
  );
  const loop = el("input", {
    type: "checkbox",
    onchange: () => on.keyframes.set({ isLoop: loop.checked }),
  });
  const clock = el("output", { class: "clock tabular" }, "0.0 s");
  const file = el("input", {
    type: "file",
    accept: ".json,application/json",
    hidden: true,
    onchange: () => pick(),
  });
  const source = select(
    [
      ["path", "this path"],
      ["auto", "the capture, its own way"],
      ["orbit", "an orbit"],
      ["walk", "a walk along the inputs"],
      ["spiral", "a spiral"],
    ],
    { onchange: () => on.onSource() },
  );
  const make = button("Make mp4", {
    icon: icon("film"),
    class: "primary small",
    onclick: () => on.onVideo(),
  });
  const exporter = button("Export", {
    icon: icon("download"),
    class: "small",
    onclick: () => on.onExport(),
  });
  const empty = el(
    "p",
    { class: "track-empty muted" },
    "Move to where the path begins and add a Key (K), move on and add another.",
  );
  const job = el("div", { class: "job", hidden: true, "aria-live": "polite" });
  const element = el(
    "section",
    { class: "timeline", "aria-label": "Camera path", hidden: true },
    el(
      "div",
      { class: "timeline-bar" },
      play,
      clock,
      addKey,
      updateKey,
      removeKey,
      el("span", { class: "spacer" }),
      inlineField("Length (s)", length),
      inlineField("Pace", ease),
      el("label", { class: "check" }, loop, "Loop"),
      button("Import", {
        icon: icon("folder"),
        class: "small",
        onclick: () => file.click(),
      }),
      exporter,
      file,
    ),
    el("div", { class: "track-box" }, on.track.element, empty),
    el(
      "div",
      { class: "timeline-bar" },
      inlineField("Video of", source),
      inlineField("Rate", fps),
      make,
      job,
    ),
  );
  return {
    play,
    addKey,
    updateKey,
    removeKey,
    length,
    ease,
    fps,
    loop,
    clock,
    source,
    make,
    exporter,
    empty,
    job,
    element,
  };
}
