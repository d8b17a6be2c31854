/** The client that tuf-conformance drives, on the suite's own web server. */
import { webSource } from "../../src/io/tuf/source.ts";
import { speakProtocol } from "./tuf-protocol.ts";

await speakProtocol(process.argv.slice(2), ({ client, metadata, targets }, work) =>
  work(webSource(client, metadata, targets)),
);
