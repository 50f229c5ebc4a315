// Videos made by the service: asked for, followed, shown and saved.

import * as api from "../lib/api.js";
import { button, el, fill } from "../lib/dom.js";
import { saveBlob } from "../lib/download.js";
import { bytes, duration } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { followJob, jobText } from "../lib/jobs.js";
import { guarded } from "../lib/notices.js";

const LASTING = new Set(["queued", "running", "succeeded"]);

/** The newest video of a scene, in `place`. */
export class VideoJob {
  #abort = new AbortController();
  #url = null;

  constructor({ place, sceneId, name }) {
    Object.assign(this, { place, sceneId, name });
  }

  /** Asks for a video and shows it; resolves once the job is over. */
  make(order) {
    return this.#follow(() => api.video(this.sceneId, order));
  }

  /** Takes up the newest video asked for earlier, such as before a reload. */
  async resume() {
    const signal = this.#abort.signal;
    const jobs = await api.jobs(this.sceneId, signal);
    const newest = jobs.find(
      ({ kind, state }) => kind === "video" && LASTING.has(state),
    );
    if (newest && !signal.aborted) await this.#follow(async () => newest);
  }

  /** Shows the job that `begin()` gives; what was shown before makes way. */
  async #follow(begin) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const bar = el("progress", {
      max: 1,
      value: 0,
      "aria-label": "Progress of the video",
    });
    const text = el("span", { class: "muted tabular" }, "asking for the video");
    const cancel = button("Cancel", { class: "small", disabled: true });
    this.#fill(el("div", { class: "job-line" }, bar, text, cancel));
    try {
      const { id } = await begin();
      cancel.disabled = false;
      cancel.addEventListener(
        "click",
        guarded(() => api.cancelJob(id)),
      );
      const job = await followJob(id, {
        signal,
        onChange: (now) => {
          bar.value = now.progress;
          text.textContent = jobText(now, duration);
        },
        onLost: () => {
          text.textContent = "connection lost, trying again";
        },
      });
      if (job.state === "succeeded") await this.#show(job, signal);
      else {
        const { problem, remedy } = job.error ?? { problem: "The video was cancelled." };
        this.#failed(problem, remedy);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.name !== "Problem") throw error;
      this.#failed(error.detail, error.remedy);
    }
  }

  async #show(job, signal) {
    const response = await api.request("GET", api.jobResultPath(job.id), { signal });
    const blob = await api.connected(response.blob());
    const url = URL.createObjectURL(blob);
    this.#fill(
      el(
        "div",
        { class: "job-line", dataset: { state: "succeeded", bytes: blob.size } },
        el("video", {
          src: url,
          controls: true,
          loop: true,
          muted: true,
          class: "video",
        }),
        el("span", { class: "muted tabular" }, `mp4, ${bytes(blob.size)}`),
        button("Save", {
          icon: icon("download"),
          class: "primary small",
          onclick: () => saveBlob(blob, this.name),
        }),
        this.#closer(),
      ),
    );
    this.#url = url;
  }

  #failed(problem, remedy) {
    this.#fill(
      el(
        "div",
        { class: "job-line", dataset: { state: "failed" }, role: "alert" },
        icon("warning"),
        el("span", {}, problem),
        remedy && el("span", { class: "muted" }, remedy),
        this.#closer(),
      ),
    );
  }

  #closer() {
    return button("", {
      icon: icon("close"),
      title: "Close",
      class: "icon-button",
      onclick: () => this.#fill(null),
    });
  }

  #fill(line) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    fill(this.place, line);
    this.place.hidden = line === null;
  }
}
