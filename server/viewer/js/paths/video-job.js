// A video made by the service: asked for, followed, shown and saved.

import * as api from "../lib/api.js";
import { button, el, fill } from "../lib/dom.js";
import { saveBlob } from "../lib/download.js";
import { bytes, duration } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { followJob, jobText } from "../lib/jobs.js";
import { guarded } from "../lib/notices.js";

/** Shows the job in `place`; resolves once it is over. */
export async function makeVideo(place, sceneId, order, name) {
  const abort = new AbortController();
  const bar = el("progress", {
    max: 1,
    value: 0,
    "aria-label": "Progress of the video",
  });
  const text = el("span", { class: "muted tabular" }, "asking for the video");
  const cancel = button("Cancel", { class: "small" });
  fill(place, el("div", { class: "job-line" }, bar, text, cancel));
  place.hidden = false;
  try {
    const started = await api.video(sceneId, order);
    cancel.addEventListener(
      "click",
      guarded(() => api.cancelJob(started.id)),
    );
    const job = await followJob(started.id, {
      signal: abort.signal,
      onChange: (now) => {
        bar.value = now.progress;
        text.textContent = jobText(now, duration);
      },
      onLost: () => {
        text.textContent = "connection lost, trying again";
      },
    });
    if (job.state === "succeeded") await showVideo(place, job, name);
    else
      failed(
        place,
        job.error?.problem ?? "The video was cancelled.",
        job.error?.remedy,
      );
  } catch (error) {
    if (error.name !== "Problem") throw error;
    failed(place, error.detail, error.remedy);
  }
}

async function showVideo(place, job, name) {
  const response = await api.request("GET", api.jobResultPath(job.id));
  const blob = await response.blob();
  const url = URL.createObjectURL(blob);
  fill(
    place,
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
        onclick: () => saveBlob(blob, name),
      }),
      closer(place, () => URL.revokeObjectURL(url)),
    ),
  );
}

function failed(place, problem, remedy) {
  fill(
    place,
    el(
      "div",
      { class: "job-line", dataset: { state: "failed" }, role: "alert" },
      icon("warning"),
      el("span", {}, problem),
      remedy && el("span", { class: "muted" }, remedy),
      closer(place, () => {}),
    ),
  );
}

function closer(place, onClose) {
  return button("", {
    icon: icon("close"),
    title: "Close",
    class: "icon-button",
    onclick: () => {
      place.hidden = true;
      fill(place);
      onClose();
    },
  });
}
