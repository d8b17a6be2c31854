import { type Command, Option } from "commander";
import { QueueSecret } from "../core/audit/queued.ts";
import { CountersignError } from "../core/errors.ts";
import { environmentAuthorities } from "../io/http/tls.ts";
import { parseQueueAddress, type QueueAddress } from "../io/queue/address.ts";
import type { Context } from "./context.ts";
import { displace } from "./displaced.ts";
import { grouped, number, once, type RawOptions, rate, text } from "./options.ts";

const QUEUE_GROUP = "Many machines:";

/** Where the machines of an audit meet. */
export function addQueueOption(command: Command, purpose: string): Command {
  return grouped(command, QUEUE_GROUP, [new Option("--queue <address>", purpose).argParser(once("--queue"))]);
}

/** For whoever wants the result. */
export function addSharingOptions(command: Command): Command {
  displace(command, ["--shard", "--journal"], ["--queue", "--queue-rate"]);
  addQueueOption(command, "have countersign audit worker examine the images, through this Redis or Valkey server");
  return grouped(command, QUEUE_GROUP, [
    new Option(
      "--queue-rate <n/unit>",
      "with --queue: begin with no more images of one registry than this, on all machines together: 10/s, 300/m",
    ).argParser(rate("--queue-rate", "images")),
  ]);
}

/** The server, and what keeps everybody else who can write to it from making up results. */
export interface QueueOptions {
  readonly address: QueueAddress;
  readonly secret: QueueSecret;
  /** PEM: those who may vouch for the server as well. */
  readonly authorities: readonly string[];
  /** Images of one registry that may be begun in a second, on all machines together. */
  readonly rate: number | undefined;
}

/** Undefined without --queue. @throws CountersignError `usage` for an address, `configuration-invalid` for the secret. */
export function readQueueOptions(context: Context, raw: RawOptions): QueueOptions | undefined {
  const address = text(raw, "queue");
  if (address === undefined) return undefined;
  const parsed = parseQueueAddress(address);
  const secret = context.env["COUNTERSIGN_QUEUE_SECRET"];
  if (secret !== undefined && secret !== "") {
    const authorities = parsed.tls ? environmentAuthorities(context.env) : [];
    return { address: parsed, secret: new QueueSecret(secret), authorities, rate: number(raw, "queueRate") };
  }
  throw new CountersignError("configuration-invalid", "nothing tells results in the queue from forged ones", {
    found: "no COUNTERSIGN_QUEUE_SECRET",
    wanted: "the same secret on every machine of the audit, as openssl rand -hex 32 makes one",
    next: "set COUNTERSIGN_QUEUE_SECRET; whoever can write to the queue, and knows it, decides what is accepted",
  });
}

/** `--queue` beside what it takes the place of, and `--queue-rate` without it. @throws CountersignError `usage`. */
export function refuseBesideQueue(raw: RawOptions): void {
  if (raw["queue"] === undefined) {
    if (raw["queueRate"] === undefined) return;
    throw new CountersignError("usage", "--queue-rate is for the machines of a queue", { wanted: "--queue too" });
  }
  const found = ["shard", "journal"].filter((name) => raw[name] !== undefined).map((name) => `--${name}`);
  if (found.length === 0) return;
  throw new CountersignError("usage", "an audit through a queue has neither parts nor a journal", {
    found: `--queue and ${found.join(" and ")}`,
    wanted: "--queue alone: with the same --plan, it goes on with what is in the queue",
  });
}
