// Orbiting by camera-controls: drag to turn, right drag or two fingers to shift, wheel
// or pinch to come closer.

import * as THREE from "../../vendor/three/three.module.js";
import CameraControls from "../../vendor/camera-controls/camera-controls.module.js";
import { poseOfElements } from "../cameras/conventions.js";
import { levelled, rolled, rollOf } from "../cameras/navigation.js";
import { position } from "../cameras/rigid.js";

const LEVELLING_SECONDS = 0.12;
const LEVEL = 1e-3;

CameraControls.install({ THREE });

/** Moves a View. camera-controls keeps the camera level; a rolled view, such as that of
 * an input camera, is levelled smoothly once the user begins to move. */
export class Orbit {
  #roll = 0;

  constructor({ view, element, isCalm }) {
    this.view = view;
    this.camera = new THREE.PerspectiveCamera();
    this.controls = new CameraControls(this.camera, element);
    const { radius } = view.survey;
    this.controls.minDistance = 0.02 * radius;
    this.controls.maxDistance = 50 * radius;
    this.controls.smoothTime = isCalm ? 0 : 0.15;
    this.controls.draggingSmoothTime = isCalm ? 0 : 0.06;
    this.isCalm = isCalm;
    this.sync();
    view.addEventListener("change", ({ detail }) => {
      if (detail.source !== "orbit") this.sync();
    });
  }

  set enabled(value) {
    this.controls.enabled = value;
  }

  /** Starts from where the view is now. */
  sync() {
    const { view, camera, controls } = this;
    camera.up.set(...view.up);
    camera.fov = view.fovDegrees;
    controls.updateCameraUp();
    controls.setLookAt(...position(view.pose), ...view.target, false);
    controls.update(0);
    this.#roll = rollOf(view.pose, view.up);
  }

  /** Called before each picture; `seconds` since the last call. */
  update(seconds) {
    const hasMoved = this.controls.update(seconds);
    const isRolled = Math.abs(this.#roll) > LEVEL;
    if (!hasMoved && !(isRolled && this.controls.currentAction !== 0)) return;
    this.camera.updateMatrixWorld();
    this.#roll *= this.isCalm ? 0 : Math.exp(-seconds / LEVELLING_SECONDS);
    if (Math.abs(this.#roll) <= LEVEL) this.#roll = 0;
    const pose = levelled(
      poseOfElements(this.camera.matrixWorld.elements),
      this.view.up,
    );
    this.view.set({ pose: this.#roll ? rolled(pose, this.#roll) : pose }, "orbit");
  }

  dispose() {
    this.controls.dispose();
  }
}
