// Walking around: puts view, stream, stage, controls and panels together.

import * as api from "../lib/api.js";
import { guarded } from "../lib/notices.js";
import { nearestPose } from "../cameras/aggregate.js";
import { lensOfCamera } from "../cameras/lens.js";
import { position } from "../cameras/rigid.js";
import { Timeline } from "../paths/timeline.js";
import { cameraPanel, fullSizes } from "./camera-panel.js";
import { Compare } from "./compare.js";
import { Connection } from "./connection.js";
import { firstView } from "./first-view.js";
import { heldOutPanel } from "./held-out-panel.js";
import { inputsPanel } from "./inputs-panel.js";
import { layOut } from "./layout.js";
import { cameraOfFragment, fragmentOf } from "./links.js";
import { Meters } from "./meters.js";
import { Motion } from "./motion.js";
import { Pacer } from "./pacer.js";
import { Painter } from "./painter.js";
import { copyText, snapshot } from "./share.js";
import { Stage } from "./stage.js";
import { FrameStream } from "./stream.js";
import { walkPad } from "./walk-pad.js";
import { walkShortcuts } from "./walk-shortcuts.js";

/** One scene on one page. */
export class Walk {
  constructor({ root, me, scene, model, inputs }) {
    Object.assign(this, { root, me, scene, model, inputs });
    this.inputViews = inputs.map(({ camera, height, width }) => ({
      pose: camera.world_from_camera,
      lens: lensOfCamera(camera, height, width),
    }));
    Object.assign(this, firstView({ scene, inputViews: this.inputViews }));
    this.sizes = fullSizes(scene, model);
    this.full = this.sizes.find(({ factor }) => factor === 1);
  }

  /** Builds the page and connects. */
  async start() {
    this.#stage();
    this.#stream();
    await this.#move();
    this.#panels();
    this.pathButton = layOut(this);
    this.showHelp = walkShortcuts(this);
    this.setMode(this.mode);
    window.addEventListener("hashchange", () => this.#follow());
    this.motion.start();
    this.stream.start();
  }

  /** Another link to this scene was opened in this tab. */
  #follow() {
    const linked = cameraOfFragment(location.hash, this.view.aspect);
    if (!linked) return;
    this.view.up = linked.up ?? this.view.up;
    this.view.set({ pose: linked.pose, lens: linked.lens }, "link");
    this.setMode(linked.mode);
  }

  #stage() {
    const aspect = this.scene.width / this.scene.height;
    this.stage = new Stage({
      label: this.scene.name,
      aspect,
      onResize: (height, width) => this.motion?.overlay?.resize(height, width),
    });
    this.painter = new Painter(this.stage.picture);
    this.meters = new Meters();
  }

  #stream() {
    const stream = api.streamPath(this.scene.id).replace(/^http/, "ws");
    this.stream = new FrameStream({
      address: async () => `${stream}?ticket=${await api.ticket()}`,
      show: (frame) => this.#show(frame),
    });
    this.pacer = new Pacer({
      view: this.view,
      stream: this.stream,
      full: this.size,
      patch: this.model.patch_size,
    });
    this.connection = new Connection(this.stream);
    this.stream.addEventListener("status", ({ detail }) => {
      if (detail.state === "open") this.pacer.settle();
      if (["gone", "not-built"].includes(detail.state)) location.reload();
    });
    this.pacer.addEventListener("moving", () => {
      this.stage.state = "moving";
    });
    this.pacer.addEventListener("settled", () => this.#settled());
  }

  async #show(frame) {
    const drawn = await this.painter.show(frame);
    this.meters.add({ ...frame, ...drawn, numBytes: frame.image.size });
    this.connection.settle();
    if (!drawn.isShown) return;
    this.stage.frame.dataset.sequence = frame.sequence;
    this.stage.frame.dataset.size = `${frame.header.width}x${frame.header.height}`;
    this.pacer.shown({ order: frame.order, elapsedMs: drawn.shownAt - frame.sentAt });
  }

  #settled() {
    this.stage.state = "settled";
    const { pose, lens, up, aspect } = this.view;
    history.replaceState(
      null,
      "",
      `#${fragmentOf({ pose, lens, up, aspect, mode: this.mode })}`,
    );
    this.inputList.mark(
      nearestPose(
        this.inputViews.map((input) => input.pose),
        pose,
        this.view.survey.radius,
      ),
    );
  }

  /** Size of the picture at rest. */
  get size() {
    const { height, width } = this.full;
    return { height, width };
  }

  async #move() {
    const { view, stage } = this;
    this.motion = await Motion.of({
      view,
      element: stage.overlay,
      inputs: this.inputViews,
      onPick: (index) => this.jump(index),
      onHover: (index, event) =>
        stage.showHint(
          index === null ? "" : `Input ${index + 1}: ${this.inputs[index].name}`,
          event,
        ),
    });
  }

  #panels() {
    const { view, scene } = this;
    this.camera = cameraPanel({
      view,
      sizes: this.sizes,
      mode: this.mode,
      hasOverlay: this.motion.overlay !== null,
      actions: {
        setMode: (mode) => this.setMode(mode),
        home: () => this.home(),
        setSpeed: (factor) => {
          this.motion.keys.speed = factor;
        },
        keepUp: guarded(async (up) => {
          this.scene = await api.keepUp(scene.id, up);
          view.survey.up = this.scene.up;
          view.up = this.scene.up;
        }),
        setFull: (size) => {
          this.full = size;
          this.pacer.setFull(this.size, this.model.patch_size);
          this.pacer.settle();
        },
        showFrustums: (isShown) => {
          this.motion.overlay.hasFrustums = isShown;
        },
      },
    });
    this.inputList = inputsPanel({
      sceneId: scene.id,
      inputs: this.inputs,
      onPick: (index) => this.jump(index),
      onCompare: () => this.toggleCompare(),
    });
    this.heldOut = scene.held_out && heldOutPanel(scene);
    this.compare = new Compare({ sceneId: scene.id });
    this.compare.addEventListener("step", ({ detail }) => this.step(detail));
    this.compare.addEventListener("close", () =>
      this.stage.frame.focus({ preventScroll: true }),
    );
    view.addEventListener("change", ({ detail }) => {
      if (detail.source !== "flight") this.compare.close();
    });
    this.stage.frame.append(walkPad(this.motion.keys), this.compare.element);
    this.timeline = new Timeline({ view, scene, getSize: () => this.size });
    this.timeline.addEventListener("change", () => this.#drawPath());
  }

  setMode(mode) {
    this.mode = mode;
    this.camera.setMode(mode);
    this.motion.setMode(mode);
  }

  /** Flies to an input camera; the comparison follows. */
  jump(index) {
    if (this.compare.isOpen) this.#compareWith(index);
    else this.motion.flight.to(this.inputViews[index]);
    this.inputList.mark(index);
  }

  step(by) {
    const num = this.inputs.length;
    const from = this.compare.isOpen ? this.compare.index : this.#nearest();
    this.jump((from + by + num) % num);
  }

  home() {
    this.view.up = this.view.survey.up;
    this.jump(0);
  }

  #nearest() {
    return nearestPose(
      this.inputViews.map(({ pose }) => pose),
      this.view.pose,
      this.view.survey.radius,
    );
  }

  toggleCompare() {
    if (this.compare.isOpen) {
      this.compare.close();
      return;
    }
    this.#compareWith(this.#nearest());
  }

  /** Flies to an input to compare; back where its pictures cannot be had. */
  #compareWith = guarded(async (index) => {
    const { compare, view, inputViews, inputs } = this;
    const before = compare.shown === null ? view.now : inputViews[compare.shown];
    this.motion.flight.to(inputViews[index]);
    try {
      await compare.open(inputs[index], inputs.length);
    } catch (error) {
      this.motion.flight.to(before);
      throw error;
    }
  });

  snapshot = guarded(() => snapshot(this.scene, this.view, this.size));

  share() {
    const { pose, lens, up, aspect } = this.view;
    const fragment = fragmentOf({ pose, lens, up, aspect, mode: this.mode });
    return copyText(`${location.origin}${location.pathname}#${fragment}`, "Link");
  }

  togglePath(isOpen = !this.timeline.isOpen) {
    this.timeline.show(isOpen);
    this.pathButton.setAttribute("aria-pressed", String(isOpen));
    this.#drawPath();
  }

  addKey() {
    this.togglePath(true);
    this.timeline.add();
  }

  #drawPath() {
    const { overlay } = this.motion;
    if (!overlay) return;
    const { keyframes, isOpen } = this.timeline;
    const isShown = isOpen && keyframes.keys.length > 1;
    const places = (views) => views.map(({ pose }) => position(pose));
    overlay.setPath(
      isShown ? places(keyframes.frames(120 / keyframes.seconds)) : [],
      places(keyframes.keys),
    );
  }
}
