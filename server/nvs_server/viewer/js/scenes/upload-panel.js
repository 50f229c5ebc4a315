// From dropped files to a built scene, step by step in one panel: recognise, upload,
// find cameras, check, choose, build.

import * as api from "../lib/api.js";
import { patiently } from "../lib/backoff.js";
import { button, el, fill } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { guarded } from "../lib/notices.js";
import { keepUpload } from "../lib/session.js";
import { buildForm } from "./build-form.js";
import { buildProgress } from "./build-progress.js";
import { recognise, videoTypeOf } from "./capture.js";
import { fileList } from "./file-list.js";
import { fileProgress } from "./file-progress.js";
import { findingsList } from "./findings.js";
import { maskChoice, maskOffer } from "./masks.js";
import { confirmForm, continueChoice, failure, readyScene } from "./panel-steps.js";
import { posingReport } from "./posing-report.js";
import { posingView } from "./posing-view.js";
import { putFile } from "./transfer.js";
import { unfinishedScene } from "./unfinished.js";
import { Uploader } from "./uploader.js";

/** Of a call that a server refuses which is there, before the user is asked. */
const MOST_ATTEMPTS = 20;
const STEPS = {
  recognise: "looking",
  confirm: "chosen",
  upload: "sending",
  pose: "finding cameras",
  check: "checking",
  mask: "cutting out",
  masks: "to be looked at",
  choose: "to be built",
  build: "building",
  ready: "ready",
  failed: "stopped",
};

/** Dispatches "change" when the list of scenes may have changed, and "close". */
export class UploadPanel extends EventTarget {
  #abort = new AbortController();
  #sent = new Map();
  #posing = null;

  /** `scene` is given where files are added to a scene that is there already. */
  constructor({ models, scene = null }) {
    super();
    Object.assign(this, { models, scene });
    const title = scene ? `Continue: ${scene.name}` : "New scene";
    this.title = el("h2", { tabindex: -1 }, title);
    this.status = el("span", { class: "muted", role: "status" });
    this.lost = el("p", { class: "state-line", role: "status" });
    this.body = el("div", { class: "panel-body" });
    this.element = el(
      "section",
      { class: "panel upload-panel", "aria-label": "Upload" },
      el(
        "header",
        { class: "panel-head" },
        this.title,
        this.status,
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
    this.#posing?.end();
    this.element.remove();
    this.dispatchEvent(new Event("close"));
  }

  /** Takes files {path, file}. */
  async take(files) {
    this.#step("recognise", el("p", { class: "muted" }, "Looking through the files …"));
    const found = await recognise(files);
    if (found.kind === "problem") this.#failed(found.problem, found.remedy);
    else if (this.scene) this.#confirm(found);
    else await this.#guard(() => this.#lookForUnfinished(found));
  }

  /** Goes on with a scene whose files are all there. */
  async resume() {
    await this.#guard(() => this.#goOn());
  }

  #step(name, ...content) {
    const hadFocus = this.body.contains(document.activeElement);
    this.element.dataset.step = name;
    this.status.textContent = STEPS[name];
    this.#say("");
    fill(this.body, content, this.lost);
    if (hadFocus) this.title.focus();
  }

  #say(text) {
    this.lost.textContent = text;
    this.lost.hidden = !text;
  }

  #showLost({ problem, seconds }) {
    const reason = problem.detail || problem.title;
    this.#say(`${reason} Goes on in ${Math.ceil(seconds)} s.`);
  }

  #failed(problem, remedy, again) {
    this.#step("failed", failure(problem, remedy, again));
  }

  /** Offers the scene to which the same files were being sent, if there is one. */
  async #lookForUnfinished(found) {
    const { signal } = this.#abort;
    const onLost = (detail) => this.#showLost(detail);
    const unfinished = await patiently(() => unfinishedScene(found), { signal, onLost });
    if (!unfinished) {
      this.#confirm(found);
      return;
    }
    const onContinue = () => {
      this.scene = unfinished.scene;
      return this.#guard(() => this.#send(found));
    };
    this.#step(
      "confirm",
      continueChoice(found, unfinished, {
        onContinue,
        onNew: () => this.#confirm(found),
      }),
    );
  }

  #confirm(found) {
    const onSend = (name) => this.#guard(() => this.#send(found, name));
    this.#step("confirm", confirmForm(found, { scene: this.scene, onSend }));
    if (!this.scene) this.body.querySelector("input").select();
  }

  async #send(found, name) {
    this.#step("upload", el("p", { class: "muted" }, "Making the scene …"));
    this.scene ??= await api.createScene(name);
    this.#abort.signal.throwIfAborted();
    this.title.textContent = this.scene.name;
    this.dispatchEvent(new Event("change"));
    if (found.images) await this.#sendCapture(found);
    else await this.#sendWhole(found);
  }

  async #sendCapture({ images, cameras }) {
    const uploader = new Uploader(this.scene.id, images);
    this.#sent = new Map(images.map(({ name, file }) => [name, file]));
    this.#abort.signal.addEventListener("abort", () => uploader.cancel());
    uploader.addEventListener("lost", ({ detail }) => this.#showLost(detail));
    uploader.addEventListener("found", () => this.#say(""));
    const again = button("Try the failed files again", {
      hidden: true,
      class: "primary",
    });
    const line = el("div", { class: "form-actions" }, again);
    this.#step("upload", fileList(uploader), line);
    keepUpload(this.scene.id, images.length);
    const failed = await uploader.run();
    if (failed.length > 0) {
      again.hidden = false;
      again.addEventListener("click", () =>
        this.#guard(() => this.#sendCapture({ images, cameras })),
      );
      return;
    }
    keepUpload(this.scene.id, null);
    if (!cameras) {
      await this.#guard(() => this.#pose());
      return;
    }
    const report = await this.#patiently(() =>
      api.putCameras(this.scene.id, cameras.text),
    );
    await this.#guard(() => this.#check(report));
  }

  async #sendWhole({ kind, file }) {
    const [pathOf, type] = {
      zip: [api.datasetPath, "application/zip"],
      scene: [api.filePath, "application/octet-stream"],
      video: [api.videoPath, videoTypeOf(file.name)],
    }[kind];
    const path = pathOf(this.scene.id);
    const { content, onProgress } = fileProgress(file);
    this.#step("upload", content);
    const report = await this.#patiently(() => {
      onProgress(0);
      return putFile(path, file, {
        headers: { "Content-Type": type },
        signal: this.#abort.signal,
        onProgress,
      });
    });
    this.dispatchEvent(new Event("change"));
    if (kind === "zip") await this.#guard(() => this.#check(report));
    else if (kind === "video") await this.#guard(() => this.#pose());
    else this.#ready();
  }

  /** With a scene whose files are all there: finds its cameras, if it has none. */
  async #goOn() {
    this.scene = await api.scene(this.scene.id);
    await (this.scene.has_cameras ? this.#check(null) : this.#pose());
  }

  async #pose() {
    this.#step("pose", el("p", { class: "muted" }, "Asking for the cameras …"));
    const job = await this.#patiently(() => api.pose(this.scene.id));
    this.#posing?.end();
    const view = posingView({ sceneId: this.scene.id, files: this.#sent });
    this.#posing = view;
    const final = await this.#follow(
      "pose",
      job,
      "The server finds where each photograph was taken. You may leave this page.",
      view,
    );
    if (final.state === "succeeded") {
      view.finish(final.result);
      await this.#check(null);
    }
    else if (final.state === "cancelled")
      this.#failed("Finding the cameras was cancelled.", "What was sent is kept.", () =>
        this.resume(),
      );
    else this.#failed(final.error.problem, final.error.remedy, () => this.resume());
  }

  /** Shows a job in a step until it ends; `view` {element, show(job)} beside it. */
  async #follow(step, job, text, view) {
    const progress = buildProgress(job.id, {
      signal: this.#abort.signal,
      onChange: view?.show,
    });
    this.#step(step, el("p", {}, text), progress.element, view?.element);
    this.dispatchEvent(new Event("change"));
    const final = await progress.finished;
    this.dispatchEvent(new Event("change"));
    return final;
  }

  async #check(cameras) {
    this.#step("check", el("p", { class: "muted" }, "Checking the capture …"));
    this.dispatchEvent(new Event("change"));
    const { signal } = this.#abort;
    const found = async (weights) =>
      findingsList(await api.validation(this.scene.id, weights, signal), cameras);
    const place = el("div", { class: "findings-place" });
    let latest = (this.models.find((model) => model.is_default) ?? this.models[0]).id;
    const onWeights = guarded(async (weights) => {
      latest = weights;
      const list = await found(weights);
      if (latest === weights) fill(place, list);
    });
    const masks = await this.#patiently(() => api.masks(this.scene.id));
    if (masks.proposed.length > 0) {
      this.#decide(masks.proposed, cameras);
      return;
    }
    fill(place, await this.#patiently(() => found(latest)));
    this.#step(
      "choose",
      this.scene.posing && posingReport(this.scene.posing),
      this.scene.posing && this.#posing?.element,
      place,
      maskOffer(masks, () => this.#guard(() => this.#mask(masks.num_used > 0, cameras))),
      buildForm({
        onWeights,
        sceneId: this.scene.id,
        models: this.models,
        numImages:
          cameras?.num_frames ??
          this.scene.posing?.num_posed ??
          this.scene.num_images - this.scene.num_masks,
        onBuild: (options) =>
          this.#guard(
            () => this.#build(options),
            (problem) =>
              problem.isTemporary ? this.#build(options) : this.#check(cameras),
          ),
      }),
    );
  }

  async #mask(force, cameras) {
    this.#step("mask", el("p", { class: "muted" }, "Asking for masks …"));
    const job = await this.#patiently(() => api.makeMasks(this.scene.id, force));
    const final = await this.#follow(
      "mask",
      job,
      "The server cuts out what the cameras look at. You may leave this page.",
    );
    const back = () => this.#guard(() => this.#check(cameras));
    if (final.state === "succeeded") {
      const made = final.result.masks;
      const agreements = new Map(made.map((mask) => [mask.image, mask.agreement]));
      const images = made.map(({ image }) => image).sort();
      this.#decide(images, cameras, agreements);
    } else if (final.state === "cancelled") await back();
    else this.#failed(final.error.problem, final.error.remedy, back);
  }

  #decide(proposed, cameras, agreements = new Map()) {
    const onDecide = (accepted) =>
      this.#guard(async () => {
        this.#step("masks", el("p", { class: "muted" }, "Keeping the masks …"));
        await this.#patiently(() => api.decideMasks(this.scene.id, accepted));
        await this.#check(cameras);
      });
    this.#step(
      "masks",
      ...maskChoice(this.scene.id, proposed, agreements, onDecide),
    );
  }

  async #build(options) {
    this.#step("build", el("p", { class: "muted" }, "Asking for the build …"));
    const job = await api.build(this.scene.id, options);
    const final = await this.#follow(
      "build",
      job,
      "The network reads the photographs. You may leave this page.",
    );
    if (final.state === "succeeded") this.#ready();
    else if (final.state === "cancelled") await this.#check(null);
    else
      this.#failed(final.error.problem, final.error.remedy, () => this.resume());
  }

  #ready() {
    this.#step("ready", readyScene(this.scene));
  }

  /**
   * Repeats an action on the scene while the server is gone, and some times while it
   * refuses. The scene is asked for first: that waits for the server, and for the key,
   * without sending a large file in vain.
   */
  async #patiently(action) {
    const { signal } = this.#abort;
    const onLost = (detail) => this.#showLost(detail);
    const attempt = async () => {
      this.scene = await patiently(() => api.scene(this.scene.id), { signal, onLost });
      this.#say("");
      return action();
    };
    return patiently(attempt, { signal, onLost, most: MOST_ATTEMPTS });
  }

  /** Shows problems in place of the step that had them; `again(problem)` is offered. */
  async #guard(action, again = action) {
    try {
      await action();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.name !== "Problem") throw error;
      this.#failed(error.detail || error.title, error.remedy, () =>
        this.#guard(() => again(error), again),
      );
    }
  }
}
