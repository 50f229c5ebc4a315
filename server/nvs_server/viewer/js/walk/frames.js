// The binary message of the stream: a uint32 header length, a JSON header, a picture.

const MEDIA_TYPES = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" };

/** {header, image} of a message, an ArrayBuffer. */
export function parseFrame(message) {
  const length = new DataView(message).getUint32(0, true);
  const header = JSON.parse(
    new TextDecoder().decode(new Uint8Array(message, 4, length)),
  );
  const bytes = new Uint8Array(message, 4 + length);
  return { header, image: new Blob([bytes], { type: MEDIA_TYPES[header.format] }) };
}
