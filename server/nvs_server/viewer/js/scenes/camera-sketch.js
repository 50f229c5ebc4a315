// Cameras in space while they are found: pyramids, seen from a little above, that can be
// turned by dragging and by arrow keys.

import * as THREE from "../../vendor/three/three.module.js";
import { surveyOf } from "../cameras/aggregate.js";
import { projectionElements, threeElements } from "../cameras/conventions.js";
import { lensOfCamera, lensOfFov } from "../cameras/lens.js";
import { lookAt, position } from "../cameras/rigid.js";
import { add, cross, distance, mean, scale, unit } from "../cameras/vectors.js";
import { Frustums } from "../walk/frustums.js";

const FOV_DEGREES = 40;
const ELEVATION = 0.5;
const TURN_PER_PX = 0.008;
const TURN_PER_KEY = Math.PI / 12;

export class CameraSketch {
  #turn = 0.6;
  #elevation = ELEVATION;
  #frustums = null;
  #survey = null;

  /** On a canvas; null where there is no WebGL. */
  static on(canvas) {
    try {
      return new CameraSketch(canvas);
    } catch {
      return null;
    }
  }

  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, alpha: true, antialias: true });
    this.scene = new THREE.Scene();
    this.camera = new THREE.Camera();
    this.camera.matrixAutoUpdate = false;
    this.resizes = new ResizeObserver(() => this.#draw());
    this.resizes.observe(canvas);
    canvas.addEventListener("pointerdown", (event) =>
      canvas.setPointerCapture(event.pointerId),
    );
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons === 0) return;
      this.#move(-event.movementX * TURN_PER_PX, event.movementY * TURN_PER_PX);
    });
    canvas.addEventListener("keydown", (event) => {
      const [across, up] =
        {
          ArrowLeft: [-1, 0],
          ArrowRight: [1, 0],
          ArrowUp: [0, 1],
          ArrowDown: [0, -1],
        }[event.key] ?? [];
      if (across === undefined) return;
      event.preventDefault();
      this.#move(across * TURN_PER_KEY, up * TURN_PER_KEY);
    });
  }

  /** Shows photographs {camera, height, width} in the place of those before. */
  show(placed) {
    const views = placed.map(({ camera, height, width }) => ({
      pose: camera.world_from_camera,
      lens: lensOfCamera(camera, height, width),
    }));
    this.#clear();
    this.#survey = surveyOf(views.map(({ pose }) => pose));
    this.#frustums = new Frustums(views, this.#survey);
    this.scene.add(this.#frustums.group);
    this.#draw();
  }

  dispose() {
    this.resizes.disconnect();
    this.#clear();
    this.renderer.dispose();
  }

  #clear() {
    if (!this.#frustums) return;
    for (const mesh of this.#frustums.meshes) {
      for (const part of [mesh, mesh.userData.edges]) {
        part.geometry.dispose();
        part.material.dispose();
      }
    }
    this.scene.remove(this.#frustums.group);
    this.#frustums = null;
  }

  #move(turn, up) {
    this.#turn += turn;
    this.#elevation = Math.min(1.5, Math.max(-1.5, this.#elevation + up));
    this.#draw();
  }

  /** From where all of them are seen. */
  #pose() {
    const { up, focus, isAround } = this.#survey;
    const { centers, depth } = this.#frustums;
    const middle = isAround ? focus : mean(centers);
    const reach = depth + Math.max(...centers.map((center) => distance(center, middle)));
    const side = unit(cross(up, Math.abs(up[0]) < 0.8 ? [1, 0, 0] : [0, 1, 0]));
    const ahead = cross(side, up);
    const level = add(
      scale(side, Math.cos(this.#turn)),
      scale(ahead, Math.sin(this.#turn)),
    );
    const away = add(
      scale(level, Math.cos(this.#elevation)),
      scale(up, Math.sin(this.#elevation)),
    );
    const far = (1.1 * reach) / Math.sin((FOV_DEGREES * Math.PI) / 360);
    return { pose: lookAt(add(middle, scale(away, far)), middle, up), far };
  }

  #draw() {
    const { canvas, renderer, camera } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!this.#frustums || width === 0 || height === 0) return;
    const { pose, far } = this.#pose();
    renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
    renderer.setSize(width, height, false);
    camera.matrix.fromArray(threeElements(pose));
    const lens = lensOfFov(FOV_DEGREES, width / height);
    camera.projectionMatrix.fromArray(projectionElements(lens, 0.01 * far, 10 * far));
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    camera.updateMatrixWorld(true);
    this.#frustums.hideAround(position(pose));
    renderer.render(this.scene, camera);
  }
}
