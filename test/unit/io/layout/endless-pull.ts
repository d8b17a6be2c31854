/** A process that pulls a blob that never ends into a new layout: `endless-pull.ts PATH`. */
import { layoutDestination } from "../../../../src/io/layout/destination.ts";
import { describeAs, makeBytes } from "../../../support/images.ts";

const [, , path = ""] = process.argv;
const { store } = await layoutDestination({ kind: "oci-layout", path });
const descriptor = { ...describeAs(makeBytes(10), "text/plain"), size: 1e12 };
await store.pushBlob(descriptor, {
  async *open() {
    for (let at = 0; ; at++) {
      yield makeBytes(100_000);
      if (at === 20) console.log("started");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
});
