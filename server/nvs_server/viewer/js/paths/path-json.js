// Camera-path files: our own form, which `nvs render --path` reads, the one that the
// nerfstudio viewer exports, and single cameras. Our own gets the keyframes as an extra,
// for editing.

import { opencvFromOpengl } from "../cameras/conventions.js";
import { lensOfCamera, lensOfFov, pixelsOfLens } from "../cameras/lens.js";
import {
  difference,
  poseOfQuaternion,
  position,
  quaternionOf,
} from "../cameras/rigid.js";
import { EASES, Keyframes } from "./keyframes.js";

export const FORMAT = "lact-nvs camera path";
const VERSION = 1;
const MOST_KEYS = 24;
/** How far a thinned path may be from the imported one, in radii and radians. */
const TOLERANCE = 0.01;

const rounded = (value) => Number(value.toPrecision(9));

/** The document of views, with `keyframes` for editing when they are given. */
export function documentOf(views, { fps, height, width, keyframes }) {
  const frame = ({ pose, lens }) => ({
    world_from_camera: pose.map((row) => row.map(rounded)),
    ...Object.fromEntries(
      Object.entries(pixelsOfLens(lens, height, width)).map(([key, value]) => [
        key,
        rounded(value),
      ]),
    ),
  });
  return {
    format: FORMAT,
    version: VERSION,
    fps,
    height,
    width,
    frames: views.map(frame),
    ...(keyframes && {
      editor: {
        ease: keyframes.ease,
        is_loop: keyframes.isLoop,
        closing_seconds: keyframes.closingSeconds,
        keys: keyframes.keys.map((key) => ({ seconds: key.seconds, ...frame(key) })),
      },
    }),
  };
}

/**
 * Reads the text of a file: {keys, ease, isLoop, closingSeconds, fps}.
 *
 * Without keyframes in the file, keys are thinned out of its frames so that the path
 * stays within 1 % of `radius`. Throws an Error that says what is wrong.
 */
export function pathOfText(text, { aspect, radius }) {
  let document;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error(`This file is not JSON: ${error.message}`);
  }
  if (document?.world_from_camera) document = pathOfCamera(document);
  if (document?.format === FORMAT) return ownPath(document, radius);
  if (Array.isArray(document?.camera_path))
    return nerfstudioPath(document, aspect, radius);
  throw new Error(
    "This is not a camera path. Give a file that this page or nvs wrote, or an export of the nerfstudio viewer.",
  );
}

/** The path of one frame that a camera makes, as the page copies it. */
function pathOfCamera({ height, width, ...camera }) {
  return { format: FORMAT, version: VERSION, fps: 30, height, width, frames: [camera] };
}

function ownPath(document, radius) {
  if (document.version !== VERSION) {
    throw new Error(
      `The file has version ${document.version}; this page reads version ${VERSION}.`,
    );
  }
  const height = positive(document.height, "height");
  const width = positive(document.width, "width");
  const fps = positive(document.fps, "fps");
  const view = (frame, index) => ({
    pose: checkedPose(frame?.world_from_camera, index),
    lens: lensOfCamera(checkedLens(frame, index), height, width),
  });
  const { editor } = document;
  if (editor?.keys?.length) {
    return {
      keys: inOrder(
        listed(editor.keys).map((key, index) => ({
          ...view(key, index),
          seconds: key.seconds,
        })),
      ),
      ease: Object.hasOwn(EASES, editor.ease) ? editor.ease : "none",
      isLoop: editor.is_loop === true,
      closingSeconds: positive(editor.closing_seconds ?? 2, "closing_seconds"),
      fps,
    };
  }
  return { ...thinned(listed(document.frames).map(view), fps, radius), fps };
}

function nerfstudioPath(document, aspect, radius) {
  const fps = positive(document.fps, "fps");
  const views = listed(document.camera_path).map((frame, index) => {
    const flat = frame?.camera_to_world;
    const rows =
      Array.isArray(flat) && flat.length === 16
        ? [0, 4, 8, 12].map((start) => flat.slice(start, start + 4))
        : null;
    return {
      pose: checkedPose(rows && opencvFromOpengl(rows), index),
      lens: lensOfFov(checkedFov(frame.fov, index), aspect),
    };
  });
  return { ...thinned(views, fps, radius), fps };
}

/** Keys such that the smooth path through them stays near all views. */
function thinned(views, fps, radius) {
  const steps = views.length - 1;
  const chosen = new Set([0, steps]);
  const path = new Keyframes();
  for (;;) {
    const indices = [...chosen].sort((a, b) => a - b);
    path.set({
      keys: indices.map((index) => ({ ...views[index], seconds: index / fps })),
    });
    if (indices.length >= Math.min(MOST_KEYS, views.length)) break;
    const errors = views.map(({ pose }, index) => {
      const apart = difference(pose, path.at(index / fps).pose);
      return apart.distance / radius + apart.radians;
    });
    const worst = Math.max(...errors);
    if (worst <= TOLERANCE) break;
    chosen.add(errors.indexOf(worst));
  }
  return { keys: path.keys, ease: "none", isLoop: false, closingSeconds: 2 };
}

function listed(frames) {
  if (!Array.isArray(frames) || frames.length === 0)
    throw new Error("The path has no frames.");
  return frames;
}

function positive(value, name) {
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`${name} is ${value}; it must be a number above zero.`);
  return value;
}

/** Keys at increasing times, the first of them at 0. */
function inOrder(keys) {
  keys.forEach(({ seconds }, index) => {
    const isRight =
      index === 0
        ? seconds === 0
        : Number.isFinite(seconds) && seconds > keys[index - 1].seconds;
    if (!isRight)
      throw new Error(
        `Key ${index} is at ${seconds} seconds; the first must be at 0, and each later than the one before.`,
      );
  });
  return keys;
}

function checkedFov(degrees, index) {
  if (positive(degrees, `fov of frame ${index}`) < 180) return degrees;
  throw new Error(
    `fov of frame ${index} is ${degrees}; it must be below 180 degrees.`,
  );
}

/** A rigid pose; its rotation is made exactly one. */
function checkedPose(rows, index) {
  const isMatrix =
    Array.isArray(rows) &&
    rows.length === 4 &&
    rows.every(
      (row) => Array.isArray(row) && row.length === 4 && row.every(Number.isFinite),
    );
  if (!isMatrix) throw new Error(`Frame ${index} has no 4 × 4 pose.`);
  const pose = poseOfQuaternion(quaternionOf(rows), position(rows));
  if (
    difference(pose, rows).distance > 1e-6 ||
    !pose.every((row, i) => row.every((v, j) => Math.abs(v - rows[i][j]) <= 1e-3))
  ) {
    throw new Error(
      `The pose of frame ${index} is not a rigid motion: remove scale and shear.`,
    );
  }
  return pose;
}

function checkedLens(frame, index) {
  const values = ["fx", "fy", "cx", "cy"].map((key) => frame[key]);
  if (!values.every(Number.isFinite) || !(values[0] > 0) || !(values[1] > 0)) {
    throw new Error(`Frame ${index} needs fx, fy, cx and cy.`);
  }
  return frame;
}
