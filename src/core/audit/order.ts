/** By code units, the same on every machine; what is absent comes first. */
export function compareText(a = "", b = ""): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
