// The drawer with the timeline: keyframes, preview, import, export, mp4.

import { button, el, inlineField, select } from "../lib/dom.js";
import { fileName, saveJson } from "../lib/download.js";
import { icon } from "../lib/icons.js";
import { notify } from "../lib/notices.js";
import { EASES, Keyframes } from "./keyframes.js";
import { documentOf, pathOfText } from "./path-json.js";
import { Track } from "./track.js";
import { makeVideo } from "./video-job.js";

const FPS = [12, 24, 30, 60];
const RECIPE_SECONDS = 4;

/** `getSize()` gives the size of the video. Dispatches "change" when the path changes. */
export class Timeline extends EventTarget {
  #playing = null;

  constructor({ view, scene, getSize }) {
    super();
    Object.assign(this, { view, scene, getSize });
    this.keyframes = new Keyframes();
    this.track = new Track(this.keyframes);
    this.#build();
    this.keyframes.addEventListener("change", () => this.#changed());
    this.track.addEventListener("seek", ({ detail }) => this.seek(detail));
    this.track.addEventListener("delete", ({ detail }) => this.#remove(detail));
    this.track.addEventListener("select", ({ detail }) => this.#selected(detail));
    view.addEventListener("change", ({ detail }) => {
      if (detail.source !== "path") this.stop();
    });
    this.#changed();
  }

  #build() {
    this.play = button("", { icon: icon("play"), title: "Play (Space)", class: "icon-button", onclick: () => this.toggle() });
    this.addKey = button("Key", { icon: icon("plus"), title: "Add this view as a key (K)", class: "small", onclick: () => this.add() });
    this.updateKey = button("Set to this view", { class: "small", onclick: () => this.keyframes.update(this.track.selected, this.view.now) });
    this.removeKey = button("", { icon: icon("trash"), title: "Delete the key", class: "icon-button", onclick: () => this.#remove(this.track.selected) });
    this.length = el("input", { type: "number", min: 0.1, max: 600, step: 0.1, class: "narrow tabular", onchange: () => this.keyframes.setSeconds(Number(this.length.value)) });
    this.ease = select(Object.entries(EASES), { onchange: () => this.keyframes.set({ ease: this.ease.value }) });
    this.fps = select(FPS.map((rate) => [rate, `${rate} fps`]), { value: 30 });
    this.loop = el("input", { type: "checkbox", onchange: () => this.keyframes.set({ isLoop: this.loop.checked }) });
    this.clock = el("output", { class: "clock tabular" }, "0.0 s");
    this.file = el("input", { type: "file", accept: ".json,application/json", hidden: true, onchange: () => this.#import() });
    this.source = select([
      ["path", "this path"],
      ["orbit", "an orbit"],
      ["walk", "a walk along the inputs"],
      ["spiral", "a spiral"],
    ], { "aria-label": "What the video shows", onchange: () => this.#changed() });
    this.make = button("Make mp4", { icon: icon("film"), class: "primary small", onclick: () => this.#video() });
    this.export = button("Export", { icon: icon("download"), class: "small", onclick: () => this.#export() });
    this.empty = el("p", { class: "track-empty muted" }, "Move to where the path begins and press K, move on and press K again.");
    this.job = el("div", { class: "job", hidden: true, "aria-live": "polite" });
    this.element = el(
      "section",
      { class: "timeline", "aria-label": "Camera path", hidden: true },
      el(
        "div",
        { class: "timeline-bar" },
        this.play,
        this.clock,
        this.addKey,
        this.updateKey,
        this.removeKey,
        el("span", { class: "spacer" }),
        inlineField("Length (s)", this.length),
        inlineField("Pace", this.ease),
        el("label", { class: "check" }, this.loop, "Loop"),
        button("Import", { icon: icon("folder"), class: "small", onclick: () => this.file.click() }),
        this.export,
        this.file,
      ),
      el("div", { class: "track-box" }, this.track.element, this.empty),
      el(
        "div",
        { class: "timeline-bar" },
        inlineField("Video of", this.source),
        inlineField("Rate", this.fps),
        this.make,
        this.job,
      ),
    );
  }

  get isOpen() {
    return !this.element.hidden;
  }

  show(isShown) {
    this.element.hidden = !isShown;
    if (!isShown) this.stop();
  }

  /** Adds the view as a key: at the playhead inside the path, else at its end. */
  add() {
    const index = this.keyframes.add(this.view.now, this.track.playhead);
    this.track.select(index);
    this.#showTime(this.keyframes.keys[index].seconds);
  }

  toggle() {
    if (this.#playing) this.stop();
    else this.#start();
  }

  stop() {
    if (!this.#playing) return;
    cancelAnimationFrame(this.#playing);
    this.#playing = null;
    this.play.replaceChildren(icon("play"));
    this.play.title = "Play (Space)";
  }

  #start() {
    if (this.keyframes.keys.length < 2) return;
    const total = this.keyframes.seconds;
    const from = this.track.playhead >= total - 0.05 ? 0 : this.track.playhead;
    const start = performance.now() - from * 1000;
    this.play.replaceChildren(icon("pause"));
    this.play.title = "Pause (Space)";
    const step = () => {
      let time = (performance.now() - start) / 1000;
      if (this.keyframes.isLoop) time %= total;
      this.seek(Math.min(time, total));
      if (time >= total) this.stop();
      else this.#playing = requestAnimationFrame(step);
    };
    this.#playing = requestAnimationFrame(step);
  }

  /** Moves the playhead and the camera. */
  seek(seconds) {
    if (this.keyframes.keys.length === 0) return;
    const time = Math.min(this.keyframes.seconds, Math.max(0, seconds));
    this.#showTime(time);
    this.view.set(this.keyframes.at(time), "path");
  }

  #showTime(seconds) {
    this.track.setPlayhead(seconds);
    this.clock.textContent = `${seconds.toFixed(1)} s`;
  }

  #selected(index) {
    const hasKey = index !== null;
    this.updateKey.disabled = !hasKey;
    this.removeKey.disabled = !hasKey;
    if (hasKey && !this.#playing) this.seek(this.keyframes.keys[index].seconds);
  }

  #remove(index) {
    if (index === null) return;
    this.keyframes.remove(index);
    this.track.selected = null;
    this.#selected(null);
    this.track.draw();
  }

  #changed() {
    const { keyframes } = this;
    const num = keyframes.keys.length;
    this.play.disabled = num < 2;
    this.export.disabled = num < 1;
    this.make.disabled = this.source.value === "path" && num < 2;
    this.length.disabled = num < 2;
    this.updateKey.disabled = this.track.selected === null;
    this.removeKey.disabled = this.track.selected === null;
    this.length.value = keyframes.seconds.toFixed(1);
    this.ease.value = keyframes.ease;
    this.loop.checked = keyframes.isLoop;
    this.empty.hidden = num > 0;
    this.track.draw();
    this.dispatchEvent(new Event("change"));
  }

  /** The document of the path at the size and rate of the video. */
  document(keyframes) {
    const fps = Number(this.fps.value);
    return documentOf(this.keyframes.frames(fps), { fps, ...this.getSize(), keyframes });
  }

  #export() {
    saveJson(this.document(this.keyframes), fileName(this.scene.name, "-path.json"));
  }

  async #import() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    const { aspect, survey } = this.view;
    try {
      const { fps, ...path } = pathOfText(await file.text(), { aspect, radius: survey.radius });
      this.keyframes.set(path);
      if (FPS.includes(fps)) this.fps.value = fps;
      this.seek(0);
      notify(`${path.keys.length} keys from ${file.name}`);
    } catch (error) {
      notify(`${file.name}: ${error.message}`, { kind: "problem" });
    }
  }

  async #video() {
    const fps = Number(this.fps.value);
    const kind = this.source.value;
    const seconds = this.keyframes.seconds || RECIPE_SECONDS;
    const trajectory =
      kind === "path"
        ? { camera_path: this.document() }
        : { kind, num_frames: Math.max(1, Math.round(seconds * fps)) };
    this.make.disabled = true;
    try {
      const order = { trajectory, ...this.getSize(), fps };
      await makeVideo(this.job, this.scene.id, order, fileName(this.scene.name, ".mp4"));
    } finally {
      this.#changed();
    }
  }
}
