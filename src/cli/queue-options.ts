import { type Command, Option } from "commander";
import { QueueSecret } from "../core/audit/queued.ts";
import { CountersignError } from "../core/errors.ts";
import { parseQueueAddress, type QueueAddress } from "../io/queue/address.ts";
import type { Context } from "./context.ts";
import { count, grouped, once, type RawOptions, text } from "./options.ts";

const QUEUE_GROUP = "Many machines:";

/** Where the machines of an audit meet. */
export function addQueueOption(command: Command, purpose: string): Command {
  return grouped(command, QUEUE_GROUP, [new Option("--queue <address>", purpose).argParser(once("--queue"))]);
}

/** For whoever wants the result. */
export function addSharingOptions(command: Command): Command {
  addQueueOption(command, "have countersign audit worker examine the images, through this Redis or Valkey server");
  return grouped(command, QUEUE_GROUP, [
    new Option(
      "--rate <n>",
      "with --queue: begin with at most so many images of one registry in a second, on all machines together",
    ).argParser(count("--rate", 1)),
  ]);
}

/** The server, and what keeps everybody else who can write to it from making up results. */
export interface QueueOptions {
  readonly address: QueueAddress;
  readonly secret: QueueSecret;
}

/** Undefined without --queue. @throws CountersignError `usage` for an address, `configuration-invalid` for the secret. */
export function readQueueOptions(context: Context, raw: RawOptions): QueueOptions | undefined {
  const address = text(raw, "queue");
  if (address === undefined) return undefined;
  const parsed = parseQueueAddress(address);
  const secret = context.env["COUNTERSIGN_QUEUE_SECRET"];
  if (secret !== undefined && secret !== "") return { address: parsed, secret: new QueueSecret(secret) };
  throw new CountersignError("configuration-invalid", "nothing tells results in the queue from forged ones", {
    found: "no COUNTERSIGN_QUEUE_SECRET",
    wanted: "the same secret on every machine of the audit, as openssl rand -hex 32 makes one",
    next: "set COUNTERSIGN_QUEUE_SECRET; whoever can write to the queue, and knows it, decides what is accepted",
  });
}
