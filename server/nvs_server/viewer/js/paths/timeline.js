// The drawer with the timeline: keyframes, preview, import, export, mp4.

import { fileName, saveJson } from "../lib/download.js";
import { icon } from "../lib/icons.js";
import { guarded, notify } from "../lib/notices.js";
import { keepPath, storedPath } from "../lib/session.js";
import { Keyframes } from "./keyframes.js";
import { documentOf, pathOfText } from "./path-json.js";
import { FPS, timelineControls } from "./timeline-controls.js";
import { Track } from "./track.js";
import { VideoJob } from "./video-job.js";

const RECIPE_SECONDS = 4;

/** `getSize()` gives the size of the video. Dispatches "change" when the path changes. */
export class Timeline extends EventTarget {
  #playing = null;
  #hasResumed = false;

  constructor({ view, scene, getSize }) {
    super();
    Object.assign(this, { view, scene, getSize });
    this.keyframes = new Keyframes();
    this.track = new Track(this.keyframes);
    Object.assign(
      this,
      timelineControls({
        keyframes: this.keyframes,
        track: this.track,
        onPlay: () => this.toggle(),
        onAdd: () => this.add(),
        onUpdate: () => this.keyframes.update(this.track.selected, view.now),
        onRemove: () => this.#remove(this.track.selected),
        onSource: () => this.#changed(),
        onVideo: () => this.#video(),
        onExport: () => this.#export(),
        onImport: (file) => this.#import(file),
      }),
    );
    this.videoJob = new VideoJob({
      place: this.job,
      sceneId: scene.id,
      name: fileName(scene.name, ".mp4"),
    });
    this.#restore();
    this.keyframes.addEventListener("change", () => {
      this.#changed();
      this.#keep();
    });
    this.track.addEventListener("seek", ({ detail }) => this.seek(detail));
    this.track.addEventListener("delete", ({ detail }) => this.#remove(detail));
    this.track.addEventListener("select", ({ detail }) => this.#selected(detail));
    view.addEventListener("change", ({ detail }) => {
      if (detail.source !== "path") this.stop();
    });
    this.#changed();
  }

  get isOpen() {
    return !this.element.hidden;
  }

  show(isShown) {
    this.element.hidden = !isShown;
    if (isShown && !this.#hasResumed) this.#resumeVideo();
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
    this.#namePlay("play", "Play (Space)");
  }

  #namePlay(name, title) {
    this.play.replaceChildren(icon(name));
    this.play.title = title;
    this.play.setAttribute("aria-label", title);
  }

  #start() {
    if (this.keyframes.keys.length < 2) return;
    const total = this.keyframes.seconds;
    const from = this.track.playhead >= total - 0.05 ? 0 : this.track.playhead;
    const start = performance.now() - from * 1000;
    this.#namePlay("pause", "Pause (Space)");
    const step = () => {
      let time = (performance.now() - start) / 1000;
      if (this.keyframes.isLoop) time %= total;
      this.seek(Math.min(time, total));
      if (time >= total) this.stop();
      else this.#playing = requestAnimationFrame(step);
    };
    this.seek(from);
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
    if (this.keyframes.keys.length === 0) this.addKey.focus();
  }

  #changed() {
    const { keyframes } = this;
    const num = keyframes.keys.length;
    this.play.disabled = num < 2;
    this.exporter.disabled = num < 1;
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
    return documentOf(this.keyframes.frames(fps), {
      fps,
      ...this.getSize(),
      keyframes,
    });
  }

  /** Keeps the keys for a reload of the page. */
  #keep() {
    const { keys } = this.keyframes;
    const size = { ...this.getSize(), fps: Number(this.fps.value) };
    const text =
      keys.length === 0
        ? null
        : JSON.stringify(
            documentOf([keys[0]], { ...size, keyframes: this.keyframes }),
          );
    keepPath(this.scene.id, text);
  }

  #restore() {
    const text = storedPath(this.scene.id);
    if (text === null) return;
    const { aspect, survey } = this.view;
    const { fps, ...path } = pathOfText(text, { aspect, radius: survey.radius });
    this.keyframes.set(path);
    this.fps.value = fps;
  }

  #export() {
    saveJson(this.document(this.keyframes), fileName(this.scene.name, "-path.json"));
  }

  async #import(file) {
    const { aspect, survey } = this.view;
    try {
      const { fps, ...path } = pathOfText(await file.text(), {
        aspect,
        radius: survey.radius,
      });
      this.keyframes.set(path);
      if (FPS.includes(fps)) this.fps.value = fps;
      this.seek(0);
      notify(`${path.keys.length} keys from ${file.name}`);
    } catch (error) {
      notify(`${file.name}: ${error.message}`, { kind: "problem" });
    }
  }

  #resumeVideo = guarded(async () => {
    this.#hasResumed = true;
    await this.videoJob.resume();
  });

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
      await this.videoJob.make(order);
    } finally {
      this.#changed();
    }
  }
}
