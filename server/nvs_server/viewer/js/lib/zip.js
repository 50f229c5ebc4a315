// Packs files into a zip without compressing them: images would not shrink.
//
// The files stay where they are: the zip is a Blob of headers and of the files
// themselves, which are read once here, piece by piece, for their checksums.

const LIMIT_BYTES = 2 ** 32 - 1;
const LIMIT_FILES = 2 ** 16 - 1;
const UTF8_NAMES = 0x0800;
const VERSION = 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** A zip of files {path, file}; null if they are more than a plain zip can hold. */
export async function zipOf(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { path, file } of files) {
    const name = new TextEncoder().encode(path);
    const about = common(await checksum(file), file.size, name.length);
    const head = [record(0x04034b50, [[2, VERSION], ...about]), name];
    directory.push(
      record(0x02014b50, [
        [2, VERSION],
        [2, VERSION],
        ...about,
        ...[2, 2, 2].map((size) => [size, 0]),
        [4, 0],
        [4, offset],
      ]),
      name,
    );
    parts.push(...head, file);
    offset += sizeOf(head) + file.size;
  }
  const size = sizeOf(directory);
  if (offset + size > LIMIT_BYTES || files.length > LIMIT_FILES) return null;
  const end = record(0x06054b50, [
    [2, 0],
    [2, 0],
    [2, files.length],
    [2, files.length],
    [4, size],
    [4, offset],
    [2, 0],
  ]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** What a file's own header and its entry in the directory share: flags, method, time,
 * checksum, sizes, length of the name and of what else there is. */
const common = (crc, size, nameLength) => [
  [2, UTF8_NAMES],
  [2, 0],
  [2, 0],
  [2, 0x21],
  [4, crc],
  [4, size],
  [4, size],
  [2, nameLength],
  [2, 0],
];

async function checksum(file) {
  let crc = 0xffffffff;
  for (const reader = file.stream().getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return ~crc >>> 0;
    for (const byte of value) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
}

/** A signature and little-endian fields [bytes, value]. */
function record(signature, fields) {
  const all = [[4, signature], ...fields];
  const view = new DataView(new ArrayBuffer(all.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of all) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

const sizeOf = (pieces) => pieces.reduce((sum, piece) => sum + piece.length, 0);
