// The camera in the address: /scenes/<id>#p=…&q=…&f=…, so that a link or a reload
// restores scene and pose.
//
//   p  position x,y,z        q  rotation of the pose as a quaternion x,y,z,w
//   f  vertical field of view in degrees, or
//   k  fx,fy,cx,cy in parts of width and height, for a lens that is not plain
//   u  up axis x,y,z         m  orbit or fly

import { at, root } from "../lib/root.js";
import { fovOfLens, isPlain, lensOfFov } from "../cameras/lens.js";
import { poseOfQuaternion, position, quaternionOf } from "../cameras/rigid.js";

const numbers = (values) =>
  values.map((value) => String(Number(value.toPrecision(9)))).join(",");

/** The part of the address after #. */
export function fragmentOf({ pose, lens, up, mode, aspect }) {
  const parts = {
    p: numbers(position(pose)),
    q: numbers(quaternionOf(pose)),
    ...(isPlain(lens, aspect)
      ? { f: numbers([fovOfLens(lens)]) }
      : { k: numbers([lens.fx, lens.fy, lens.cx, lens.cy]) }),
    u: numbers(up),
    m: mode,
  };
  return Object.entries(parts)
    .map(([key, value]) => `${key}=${value}`)
    .join("&");
}

/** {pose, lens, up, mode} of a fragment, or null where it holds no usable camera. */
export function cameraOfFragment(fragment, aspect) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const read = (key, num) => {
    const values = (parts.get(key) ?? "").split(",").map(Number);
    return values.length === num && values.every(Number.isFinite) ? values : null;
  };
  const p = read("p", 3);
  const q = read("q", 4);
  if (!p || !q || Math.hypot(...q) < 1e-6) return null;
  const k = read("k", 4);
  const f = read("f", 1);
  const lens =
    k && k[0] > 0 && k[1] > 0
      ? { fx: k[0], fy: k[1], cx: k[2], cy: k[3] }
      : lensOfFov(f && f[0] > 1 && f[0] < 170 ? f[0] : 50, aspect);
  const u = read("u", 3);
  return {
    pose: poseOfQuaternion(q, p),
    lens,
    up: u && Math.hypot(...u) > 1e-6 ? u : null,
    mode: parts.get("m") === "fly" ? "fly" : "orbit",
  };
}

/** What a path says after "scenes/": "" on the list of scenes. */
export const scenePartOf = (pathname) =>
  pathname.slice(root.pathname.length).match(/^scenes\/(.+)/)?.[1] ?? "";

/** Id of the scene in a path, or null. */
export const sceneIdOf = (pathname) =>
  scenePartOf(pathname).match(/^([a-z2-7]{26})\/?$/)?.[1] ?? null;

/** Address of a scene's page. */
export const sceneAddress = (id) => at(`scenes/${id}`);
