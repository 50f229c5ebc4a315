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

/** From an <input type="file">, with or without webkitdirectory. Phones give all
 * photographs of a camera roll the same name: such are told apart by their times. */
export function filesOfInput(input) {
  const files = [...input.files].map((file) => ({
    path: file.webkitRelativePath || file.name,
    file,
  }));
  const alike = Map.groupBy(files, ({ path }) => path);
  return files.map(({ path, file }) => ({
    path:
      alike.get(path).length === 1
        ? path
        : path.replace(/(\.\w+)?$/, `_${file.lastModified}_${file.size}$1`),
    file,
  }));
}

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
