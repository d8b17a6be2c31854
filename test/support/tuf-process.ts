/** One process that consults a TUF repository: `tuf-process.ts MIRROR FOLDER ROOT TIME`. Prints what the target holds. */
import { readFile } from "node:fs/promises";
import { toFinding } from "../../src/core/errors.ts";
import { instant } from "../../src/core/time.ts";
import { ServiceClient } from "../../src/io/http/service.ts";
import { consult } from "../../src/io/tuf/repository.ts";
import { parseMirror, webSource } from "../../src/io/tuf/source.ts";
import { storeIn } from "./tuf-repository.ts";

const [mirror = "", folder = "", root = "", time = ""] = process.argv.slice(2);
const client = new ServiceClient({ env: {}, userAgent: "countersign/test" });
try {
  const repository = {
    name: "tuf.example",
    anchor: { root: await readFile(root) },
    source: webSource(client, parseMirror(mirror)),
    store: storeIn(folder),
  };
  const wishes = [{ path: "trusted_root.json", maxBytes: 1000 }];
  const { targets } = await consult(repository, wishes, { now: instant(Number(time)), mode: "when-due" });
  process.stdout.write(targets.get("trusted_root.json")?.content ?? "absent");
} catch (thrown) {
  process.stdout.write(toFinding(thrown).code);
} finally {
  await client.close();
}
