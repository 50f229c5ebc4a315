// The input cameras as pyramids of lines, with faces to click.

import * as THREE from "../../vendor/three/three.module.js";
import { position } from "../cameras/rigid.js";
import { add, apply, distance, median } from "../cameras/vectors.js";

const PLAIN = new THREE.Color(0x4a8fe0);
const MARKED = new THREE.Color(0xff9d1c);
const LARGEST = 0.12;

/** Length of the pyramids: a part of the way between neighbours. */
function depthOf(centers, radius) {
  if (centers.length < 2) return LARGEST * radius;
  const gaps = centers.map((center, i) =>
    Math.min(
      ...centers.filter((_, j) => j !== i).map((other) => distance(center, other)),
    ),
  );
  return Math.min(LARGEST * radius, 0.4 * median(gaps)) || LARGEST * radius;
}

/** Centre, then the corners of the image plane: top left, clockwise. */
function cornersOf({ pose, lens }, depth) {
  const corner = (u, v) => [
    ((u - lens.cx) / lens.fx) * depth,
    ((v - lens.cy) / lens.fy) * depth,
    depth,
  ];
  const rotation = pose.slice(0, 3).map((row) => row.slice(0, 3));
  const center = position(pose);
  return [
    center,
    ...[
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ].map(([u, v]) => add(center, apply(rotation, corner(u, v)))),
  ];
}

const EDGES = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1];
const FACES = [0, 1, 2, 0, 2, 3, 0, 3, 4, 0, 4, 1, 1, 2, 3, 1, 3, 4];

/** A group of frustums; `mark(index)` shows one in another colour. */
export class Frustums {
  constructor(views, survey) {
    this.centers = views.map(({ pose }) => position(pose));
    this.depth = depthOf(this.centers, survey.radius);
    this.group = new THREE.Group();
    this.meshes = views.map((view, index) => this.#frustum(view, index));
    this.marked = null;
  }

  #frustum(view, index) {
    const points = new THREE.Float32BufferAttribute(
      cornersOf(view, this.depth).flat(),
      3,
    );
    const lines = new THREE.BufferGeometry().setAttribute("position", points);
    lines.setIndex(EDGES);
    const faces = new THREE.BufferGeometry().setAttribute("position", points);
    faces.setIndex(FACES);
    const mesh = new THREE.Mesh(
      faces,
      new THREE.MeshBasicMaterial({
        color: PLAIN,
        transparent: true,
        opacity: 0.1,
        side: THREE.DoubleSide,
        depthWrite: false,
      }),
    );
    const edges = new THREE.LineSegments(
      lines,
      new THREE.LineBasicMaterial({ color: PLAIN, transparent: true, opacity: 0.85 }),
    );
    mesh.add(edges);
    mesh.userData = { index, edges };
    this.group.add(mesh);
    return mesh;
  }

  /** Marks one frustum, or none (null); returns whether that is a change. */
  mark(index) {
    if (index === this.marked) return false;
    this.#colour(this.marked, PLAIN, 0.1);
    this.#colour(index, MARKED, 0.35);
    this.marked = index;
    return true;
  }

  #colour(index, colour, opacity) {
    if (index === null) return;
    const mesh = this.meshes[index];
    mesh.material.color.copy(colour);
    mesh.material.opacity = opacity;
    mesh.userData.edges.material.color.copy(colour);
  }

  /** Hides those that the eye is inside of. */
  hideAround(eye) {
    this.meshes.forEach((mesh, index) => {
      mesh.visible = distance(this.centers[index], eye) > 1.2 * this.depth;
    });
  }
}
