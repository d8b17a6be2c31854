/**
 * The client that tuf-conformance drives, with metadata read from a registry: every state of the suite's repository is published
 * as a head there, and read as signed tags are. What the client asks of the head is asked of the suite's server too, because the
 * suite counts what clients ask for; of its answers only one thing is used, that it has no file of that name. Targets come from it.
 */
import { LIMITS } from "../../src/core/limits.ts";
import { type TufSource, webSource } from "../../src/io/tuf/source.ts";
import { mirror, readDump, throughRegistry } from "./tuf-bridge.ts";
import { type SuiteRepository, speakProtocol } from "./tuf-protocol.ts";

await speakProtocol(process.argv.slice(2), async ({ client, metadata, targets }: SuiteRepository, work) => {
  const suite = webSource(client, metadata, targets);
  const dumped = await readDump(process.env["TUF_CONFORMANCE_DUMPS"] ?? "", testOf(metadata));
  await throughRegistry(dumped ?? (await mirror(suite)), (head) =>
    work({ ...suite, metadata: dumped === undefined ? head.metadata : counted(head, suite) }),
  );
});

/** `/test_of_the_suite[parameter]/metadata/`, percent-encoded, as the folder of its dumps is called. */
function testOf({ pathname }: URL): string {
  return pathname.split("/")[1] ?? "";
}

/** A dump has the files without the names that they are served under: where the two disagree, the server has none. */
function counted(head: TufSource, suite: TufSource): TufSource["metadata"] {
  return async (file, maxBytes) => {
    const isServed = (await suite.metadata(file, LIMITS.tufSnapshotBytes)) !== undefined;
    return isServed ? await head.metadata(file, maxBytes) : undefined;
  };
}
