// Files and folders that were dropped or chosen, as a flat list of {path, file}.

/** From a drop; folders are read to the bottom. */
export async function filesOfDrop(dataTransfer) {
  const items = [...dataTransfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const lists = await Promise.all(
    entries.map((entry) =>
      entry instanceof File ? [{ path: entry.name, file: entry }] : walk(entry),
    ),
  );
  return lists.flat();
}

/** From an <input type="file">, with or without webkitdirectory. */
export const filesOfInput = (input) =>
  [...input.files].map((file) => ({
    path: file.webkitRelativePath || file.name,
    file,
  }));

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(walk))).flat();
}
