// The transparent WebGL layer over the picture: input cameras and the path.

import * as THREE from "../../vendor/three/three.module.js";
import { projectionElements, threeElements } from "../cameras/conventions.js";
import { position } from "../cameras/rigid.js";
import { Frustums } from "./frustums.js";

const PATH_COLOUR = 0x6ee7b7;
const LINE = new THREE.LineBasicMaterial({ color: PATH_COLOUR });
const KEYS = new THREE.PointsMaterial({
  color: PATH_COLOUR,
  size: 7,
  sizeAttenuation: false,
});

/** Draws when something changed. `onPick(index)` hears of clicks on a frustum,
 * `onHover(index|null, event)` of the pointer over one. */
export class Overlay {
  #isDirty = true;
  #pressed = null;

  constructor({ canvas, view, inputs, onPick, onHover }) {
    Object.assign(this, { canvas, view, onPick, onHover });
    this.renderer = new THREE.WebGLRenderer({ canvas, alpha: true, antialias: true });
    this.scene = new THREE.Scene();
    this.camera = new THREE.Camera();
    this.camera.matrixAutoUpdate = false;
    this.raycaster = new THREE.Raycaster();
    this.frustums = new Frustums(inputs, view.survey);
    this.scene.add(this.frustums.group);
    this.path = new THREE.Group();
    this.scene.add(this.path);
    view.addEventListener("change", () => this.invalidate());
    canvas.addEventListener("pointerdown", (event) => {
      const isClick = event.isPrimary && event.button === 0;
      this.#pressed = isClick ? [event.clientX, event.clientY] : null;
    });
    canvas.addEventListener("pointerup", (event) => this.#released(event));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons === 0) this.#hovered(this.indexAt(event), event);
    });
    canvas.addEventListener("pointerleave", (event) => this.#hovered(null, event));
  }

  invalidate() {
    this.#isDirty = true;
  }

  resize(height, width) {
    this.renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
    this.renderer.setSize(width, height, false);
    this.invalidate();
  }

  set hasFrustums(value) {
    this.frustums.group.visible = value;
    this.invalidate();
  }

  /** Shows a path: `line` are points, `keys` are the keyframes' positions. */
  setPath(line, keys) {
    for (const child of [...this.path.children]) {
      child.geometry.dispose();
      this.path.remove(child);
    }
    if (line.length > 1) {
      const points = (values) =>
        new THREE.BufferGeometry().setAttribute(
          "position",
          new THREE.Float32BufferAttribute(values.flat(), 3),
        );
      this.path.add(
        new THREE.Line(points(line), LINE),
        new THREE.Points(points(keys), KEYS),
      );
    }
    this.invalidate();
  }

  /** Called before each picture. */
  update() {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const { view, camera } = this;
    const { radius } = view.survey;
    camera.matrix.fromArray(threeElements(view.pose));
    camera.projectionMatrix.fromArray(
      projectionElements(view.lens, 0.005 * radius, 200 * radius),
    );
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    camera.updateMatrixWorld(true);
    this.frustums.hideAround(position(view.pose));
    this.renderer.render(this.scene, camera);
  }

  /** Index of the input camera under a pointer event, or null. */
  indexAt(event) {
    if (!this.frustums.group.visible) return null;
    const box = this.canvas.getBoundingClientRect();
    const point = new THREE.Vector3(
      ((event.clientX - box.left) / box.width) * 2 - 1,
      1 - ((event.clientY - box.top) / box.height) * 2,
      0.5,
    ).unproject(this.camera);
    const eye = new THREE.Vector3().setFromMatrixPosition(this.camera.matrixWorld);
    this.raycaster.set(eye, point.sub(eye).normalize());
    const hits = this.raycaster.intersectObjects(
      this.frustums.meshes.filter((mesh) => mesh.visible),
      false,
    );
    return hits[0]?.object.userData.index ?? null;
  }

  #hovered(index, event) {
    if (this.frustums.mark(index)) this.invalidate();
    this.canvas.classList.toggle("is-pointing", index !== null);
    this.onHover(index, event);
  }

  #released(event) {
    const start = this.#pressed;
    this.#pressed = null;
    if (!start || Math.hypot(event.clientX - start[0], event.clientY - start[1]) > 5)
      return;
    const index = this.indexAt(event);
    if (index !== null) this.onPick(index);
  }

  dispose() {
    this.renderer.dispose();
  }
}
