// From dropped files to a built scene, step by step in one panel: recognise, upload,
// check, choose, build.

import * as api from "../lib/api.js";
import { button, el, field, fill } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { notifyProblem } from "../lib/notices.js";
import { sceneAddress } from "../walk/links.js";
import { buildForm } from "./build-form.js";
import { buildProgress } from "./build-progress.js";
import { descriptionOf, recognise } from "./capture.js";
import { fileList } from "./file-list.js";
import { findingsList } from "./findings.js";
import { putFile } from "./transfer.js";
import { Uploader } from "./uploader.js";

/** Dispatches "change" when the list of scenes may have changed, and "close". */
export class UploadPanel extends EventTarget {
  #abort = new AbortController();

  /** `scene` is given where files are added to a scene that is there already. */
  constructor({ models, scene = null }) {
    super();
    Object.assign(this, { models, scene });
    this.title = el("h2", {}, scene ? `Continue: ${scene.name}` : "New scene");
    this.body = el("div", { class: "panel-body" });
    this.element = el(
      "section",
      { class: "panel upload-panel", "aria-label": "Upload" },
      el(
        "header",
        { class: "panel-head" },
        this.title,
        button("", {
          icon: icon("close"),
          title: "Close",
          class: "icon-button",
          onclick: () => this.close(),
        }),
      ),
      this.body,
    );
  }

  close() {
    this.#abort.abort();
    this.element.remove();
    this.dispatchEvent(new Event("close"));
  }

  /** Takes files {path, file}. */
  async take(files) {
    this.#step("recognise", el("p", { class: "muted" }, "Looking through the files …"));
    const found = await recognise(files);
    if (found.kind === "problem") this.#failed(found.problem, found.remedy);
    else this.#confirm(found);
  }

  /** Goes on with a scene whose files are all there. */
  async resume() {
    await this.#guard(() => this.#check(null));
  }

  #step(name, ...content) {
    this.element.dataset.step = name;
    fill(this.body, content);
  }

  #failed(problem, remedy) {
    this.#step(
      "failed",
      el(
        "div",
        { class: "state-line", role: "alert" },
        icon("warning"),
        el("div", {}, el("p", {}, problem), el("p", { class: "muted" }, remedy)),
      ),
    );
  }

  #confirm(found) {
    const name = el("input", {
      type: "text",
      value: this.scene?.name ?? found.name,
      maxlength: 200,
      required: true,
    });
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          this.#guard(() => this.#send(found, name.value.trim() || found.name));
        },
      },
      el("p", {}, descriptionOf(found)),
      !this.scene && field("Name", name),
      el(
        "div",
        { class: "form-actions" },
        button("Upload", { type: "submit", class: "primary", icon: icon("upload") }),
      ),
    );
    this.#step("confirm", form);
    if (!this.scene) name.select();
  }

  async #send(found, name) {
    this.scene ??= await api.createScene(name);
    this.title.textContent = this.scene.name;
    this.dispatchEvent(new Event("change"));
    if (found.kind === "capture") await this.#sendCapture(found);
    else if (found.kind === "zip")
      await this.#sendWhole(found, api.datasetPath(this.scene.id), "application/zip");
    else
      await this.#sendWhole(
        found,
        api.filePath(this.scene.id),
        "application/octet-stream",
      );
  }

  async #sendCapture({ images, cameras }) {
    const uploader = new Uploader(this.scene.id, images);
    this.#abort.signal.addEventListener("abort", () => uploader.cancel());
    const lost = el("p", { class: "state-line", hidden: true, role: "status" });
    uploader.addEventListener("lost", ({ detail }) => {
      lost.hidden = false;
      lost.textContent = `${detail.problem.detail} Goes on in ${Math.ceil(detail.seconds)} s with what is missing.`;
    });
    uploader.addEventListener("found", () => {
      lost.hidden = true;
    });
    const again = button("Try the failed files again", {
      hidden: true,
      class: "primary",
    });
    this.#step(
      "upload",
      fileList(uploader),
      lost,
      el("div", { class: "form-actions" }, again),
    );
    const failed = await uploader.run();
    if (failed.length > 0) {
      again.hidden = false;
      again.addEventListener("click", () =>
        this.#guard(() => this.#sendCapture({ images, cameras })),
      );
      return;
    }
    await this.#check(await api.putCameras(this.scene.id, cameras.text));
  }

  async #sendWhole({ name, file }, path, type) {
    const bar = el("progress", {
      max: Math.max(1, file.size),
      value: 0,
      "aria-label": "Progress of the upload",
    });
    const text = el("span", { class: "muted tabular" });
    this.#step(
      "upload",
      el("p", {}, file.name),
      el("div", { class: "job-line" }, bar, text),
    );
    const report = await putFile(path, file, {
      headers: { "Content-Type": type },
      signal: this.#abort.signal,
      onProgress: (sent) => {
        bar.value = sent;
        text.textContent =
          sent < file.size
            ? `${bytes(sent)} of ${bytes(file.size)}`
            : "the server reads it …";
      },
    });
    this.dispatchEvent(new Event("change"));
    if (type === "application/zip") await this.#check(report);
    else this.#ready();
    this.title.textContent = this.scene.name || name;
  }

  async #check(cameras) {
    this.#step("check", el("p", { class: "muted" }, "Checking the capture …"));
    this.dispatchEvent(new Event("change"));
    const validation = await api.validation(this.scene.id, this.#abort.signal);
    this.scene = await api.scene(this.scene.id);
    const numImages = cameras?.num_frames ?? this.scene.num_images;
    this.#step(
      "choose",
      findingsList(validation, cameras),
      buildForm({
        models: this.models,
        numImages,
        onBuild: (options) => this.#guard(() => this.#build(options)),
      }),
    );
  }

  async #build(options) {
    const job = await api.build(this.scene.id, options);
    const progress = buildProgress(job.id, { signal: this.#abort.signal });
    this.#step(
      "build",
      el("p", {}, "The network reads the photographs. You may leave this page."),
      progress.element,
    );
    this.dispatchEvent(new Event("change"));
    const final = await progress.finished;
    this.dispatchEvent(new Event("change"));
    if (final.state === "succeeded") this.#ready();
    else if (final.state === "cancelled") await this.#check(null);
    else this.#failed(final.error.problem, final.error.remedy);
  }

  #ready() {
    this.#step(
      "ready",
      el("p", { class: "state-line good" }, icon("check"), "The scene is ready."),
      el(
        "div",
        { class: "form-actions" },
        el(
          "a",
          { class: "button primary", href: sceneAddress(this.scene.id) },
          icon("cube"),
          "Walk around",
        ),
      ),
    );
  }

  /** Shows problems in place of the step that had them. */
  async #guard(action) {
    try {
      await action();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.name !== "Problem") throw error;
      if (error.isTemporary) notifyProblem(error);
      else this.#failed(error.detail, error.remedy);
    }
  }
}
