/** Files that are dropped anywhere on the page, while a view is shown. */

/**
 * @param {object} given
 * @param {(file: File) => void} given.onFile
 * @param {(isOver: boolean) => void} given.onOver a file is held over the page, or is not any more
 * @param {() => void} given.onOther what was dropped is no file
 * @param {AbortSignal} given.signal
 */
export function dropping({ onFile, onOver, onOther, signal }) {
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(
      kind,
      (event) => {
        event.preventDefault(); // the browser would open the file in place of the page
        onOver(true);
      },
      { signal },
    );
  }
  addEventListener("dragleave", (event) => event.relatedTarget || onOver(false), { signal });
  addEventListener(
    "drop",
    (event) => {
      event.preventDefault();
      onOver(false);
      const dropped = event.dataTransfer?.files[0];
      if (dropped) onFile(dropped);
      else onOther();
    },
    { signal },
  );
}
