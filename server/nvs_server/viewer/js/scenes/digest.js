// SHA-256 of files. Browsers offer it on https and on this machine only; elsewhere
// uploads go without a digest and resume by size.

export const canHash = globalThis.crypto?.subtle !== undefined;

/** {hex, header}: the digest, and as the value of Content-Digest. */
export async function sha256(blob) {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()),
  );
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { hex, header: `sha-256=:${btoa(String.fromCharCode(...digest))}:` };
}
