// Intrinsics in parts of the image, so that one lens serves every resolution:
// fx, cx divided by the width, fy, cy divided by the height.

/** The lens of a camera {fx, fy, cx, cy} in pixels of an image. */
export const lensOfCamera = (camera, height, width) => ({
  fx: camera.fx / width,
  fy: camera.fy / height,
  cx: camera.cx / width,
  cy: camera.cy / height,
});

/** Square pixels, centred, with a vertical field of view; `aspect` is width / height. */
export function lensOfFov(verticalDegrees, aspect) {
  const fy = 1 / (2 * Math.tan((verticalDegrees * Math.PI) / 360));
  return { fx: fy / aspect, fy, cx: 0.5, cy: 0.5 };
}

/** Vertical field of view in degrees: from the top edge to the bottom edge. */
export const fovOfLens = (lens) =>
  ((Math.atan(lens.cy / lens.fy) + Math.atan((1 - lens.cy) / lens.fy)) * 180) / Math.PI;

/** Whether a lens is centred and says no more than its field of view. */
export const isPlain = (lens, aspect) =>
  lens.cx === 0.5 && lens.cy === 0.5 && Math.abs(lens.fx * aspect - lens.fy) < 1e-9;

/** {fx, fy, cx, cy} in pixels of an image. */
export const pixelsOfLens = (lens, height, width) => ({
  fx: lens.fx * width,
  fy: lens.fy * height,
  cx: lens.cx * width,
  cy: lens.cy * height,
});

/** The camera of the service's API for an image of this size. */
export const cameraOf = (view, height, width) => ({
  world_from_camera: view.pose,
  ...pixelsOfLens(view.lens, height, width),
});
