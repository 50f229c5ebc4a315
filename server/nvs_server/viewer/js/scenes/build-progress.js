// A build or a posing as it runs: stage, progress, time left, cancel.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { followJob, jobText } from "../lib/jobs.js";
import { guarded } from "../lib/notices.js";

/** {element, finished}: `finished` resolves to the job in its final state; `onChange(job)`
 * hears of each change. */
export function buildProgress(jobId, { signal, onChange = () => {} } = {}) {
  const bar = el("progress", {
    max: 1,
    value: 0,
    "aria-label": "Progress of the job",
  });
  const text = el("span", { class: "muted tabular", "aria-live": "polite" }, "waiting");
  const cancel = button("Cancel", {
    class: "small",
    onclick: guarded(async () => {
      cancel.disabled = true;
      await api.cancelJob(jobId);
    }),
  });
  const element = el("div", { class: "job-line" }, bar, text, cancel);
  const finished = followJob(jobId, {
    signal,
    onChange: (job) => {
      onChange(job);
      bar.value = job.progress;
      element.dataset.state = job.state;
      text.textContent = `${Math.round(100 * job.progress)} % · ${jobText(job, duration)}`;
    },
    onLost: () => {
      text.textContent = "connection lost, trying again";
    },
  });
  return { element, finished };
}
