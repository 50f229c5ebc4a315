// The one place where axes are converted. The service, and all of this page, use
// OpenCV's (x right, y down, z forward); three.js and nerfstudio use OpenGL's (x right,
// y up, z backward).

/** The other convention's pose: y and z change sign. Its own inverse. */
export const openglFromOpencv = (pose) =>
  pose.map((row) => [row[0], -row[1], -row[2], row[3]]);

export const opencvFromOpengl = openglFromOpencv;

/** The 16 numbers of three.js's Matrix4.elements (column by column) for a pose. */
export function threeElements(pose) {
  const rows = openglFromOpencv(pose);
  return [0, 1, 2, 3].flatMap((j) => rows.map((row) => row[j]));
}

/** A pose from the elements of a three.js camera's matrixWorld. */
export function poseOfElements(elements) {
  const rows = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => elements[4 * j + i]));
  return opencvFromOpengl(rows);
}

/** Elements of OpenGL's projection matrix (column by column) of a lens. */
export function projectionElements(lens, near, far) {
  const depth = far - near;
  // prettier-ignore
  return [
    2 * lens.fx, 0, 0, 0,
    0, 2 * lens.fy, 0, 0,
    1 - 2 * lens.cx, 2 * lens.cy - 1, -(far + near) / depth, -1,
    0, 0, (-2 * far * near) / depth, 0,
  ];
}
