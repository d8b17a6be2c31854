/** A process of its own that pulls one image and says how much memory that took: `HOST TAG FOLDER`. */

import { layerDigesters } from "../../src/io/disk/decompress.ts";
import { layoutDestination } from "../../src/io/layout/destination.ts";
import { pullImage } from "../../src/ops/pull.ts";
import { openTestStore } from "./registry-client.ts";

const [host = "", tag = "", path = ""] = process.argv.slice(2);
const source = openTestStore(host);
const root = await source.resolve(tag);
if (root === undefined) throw new Error("no such image");
const destination = await layoutDestination({ kind: "oci-layout", path });
// Sampled, because the kernel's own peak counts the memory of the process that started this one.
let peakBytes = 0;
const onTransfer = () => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
};
const { movedBytes } = await pullImage({ source, root, destination, openLayerDigester: layerDigesters(), onTransfer });
await source.close();
console.log(JSON.stringify({ movedBytes, peakBytes }));
