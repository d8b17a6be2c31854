/** A process that adds referrers to an image without end: `endless-writer.ts KIND PATH`. */
import { openLayout } from "../../../../src/io/layout/open.ts";
import { makeReferrer, pushImage } from "../../../support/images.ts";

const [, , kind, path = ""] = process.argv;
const location = { kind: kind === "oci-archive" ? kind : "oci-layout", path } as const;
const store = await openLayout(location, { mode: "write" });
const image = await store.resolve("1.0");
if (image === undefined) throw new Error("there is no image");
console.log("started");
for (let at = 0; ; at++) await pushImage(store, makeReferrer(image, { content: `${process.pid} ${at}` }));
