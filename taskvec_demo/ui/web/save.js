// Files that the browser saves.

/** @param {string} name @param {string} address */
export function saveFrom(name, address) {
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/**
 * Gradio calls this when the server has written a file.
 * @param {{url: string, orig_name: string} | null} file null: there is none
 * @returns {never[]} no output
 */
export function saveGiven(file) {
  if (file) saveFrom(file.orig_name, file.url);
  return [];
}

/** @param {string} name @param {Blob} content */
export function saveBlob(name, content) {
  const address = URL.createObjectURL(content);
  saveFrom(name, address);
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // browsers read it after the click
}

/** @param {string} name @param {string} text */
export function saveText(name, text) {
  saveBlob(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
}
