import { createHmac, timingSafeEqual } from "node:crypto";
import { encodeUtf8 } from "../bytes.ts";
import { CountersignError, type Finding } from "../errors.ts";
import { findingMember } from "../explain.ts";
import { isObject, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { formatInstantExactly, type Instant } from "../time.ts";
import type { AuditPlan, AuditStandard, ImageFacts } from "./audit.ts";
import { formatFacts, readFacts } from "./facts.ts";
import { Members } from "./members.ts";
import { readFinding, readRecord, readStandard } from "./parse.ts";

/**
 * What an audit hands to other machines through a queue, and what they hand back. Whoever can write to the queue could
 * turn a refusal into an acceptance, so all of it is sealed with a secret that only the machines of the audit have.
 */

/** An audit that workers take part in. */
export interface QueuedRun {
  /** The same for the same plan and standard: who asks for it again goes on with it. */
  readonly id: string;
  /** As of when is judged. */
  readonly at: Instant;
  readonly plan: Digest;
  readonly standard: AuditStandard;
  /** The keys of the plan's items. */
  readonly images: readonly string[];
}

/** What a worker says of an image: what it found out, or why no image at all can be judged by it. */
export type QueuedResult = { readonly facts: ImageFacts } | { readonly error: Finding };

export function queuedRun(plan: AuditPlan, standard: AuditStandard): QueuedRun {
  return {
    id: digestOf(encodeUtf8(JSON.stringify([plan.digest, standard.digest]))).slice(ID_FROM, ID_FROM + ID_CHARACTERS),
    at: plan.at,
    plan: plan.digest,
    standard,
    images: plan.items.map(({ image }) => image),
  };
}

/** Behind `sha256:`; 128 bits. */
const ID_FROM = 7;
const ID_CHARACTERS = 32;

export function isRunId(text: string): boolean {
  return text.length === ID_CHARACTERS && /^[0-9a-f]+$/.test(text);
}

// --- names ------------------------------------------------------------------------------------------------------------

/** What everything of ours in a queue's server begins with. */
export const QUEUE_PREFIX = "countersign";

/**
 * The queue of an image's registry: readable, and by the digest at its end never that of another registry. A colon would
 * part the names of the server's keys.
 */
export function queueName(run: string, image: string): string {
  const { registry } = parseReference(image);
  const readable = registry.replace(/[^0-9A-Za-z.-]/g, "_").slice(0, LIMITS.queueHostCharacters);
  return `audit-${run}-${readable}-${shortDigest(registry)}`;
}

/** Of one image in a run. Letters first: an id that is a number would be taken for one that the queue gave. */
export function jobId(image: string): string {
  return `image-${digestOf(encodeUtf8(image)).slice(ID_FROM)}`;
}

function shortDigest(text: string): string {
  return digestOf(encodeUtf8(text)).slice(ID_FROM, ID_FROM + 8);
}

// --- seals ------------------------------------------------------------------------------------------------------------

/** What all machines of an audit know and nobody else. */
export class QueueSecret {
  readonly #bytes: Uint8Array;

  /** @throws CountersignError `configuration-invalid` for one that could be guessed from a sealed text. */
  constructor(text: string) {
    if (text.length < LIMITS.queueSecretCharacters) {
      throw new CountersignError("configuration-invalid", "the queue's secret is too short", {
        found: `${text.length} characters`,
        wanted: `at least ${LIMITS.queueSecretCharacters}, as openssl rand -hex 32 makes them`,
      });
    }
    this.#bytes = encodeUtf8(text);
  }

  /** A text for `purpose`, which says what it is, of what and for whom: a seal for another purpose does not open it. */
  seal(purpose: readonly string[], text: string): string {
    return `${this.#mac(purpose, text)}.${text}`;
  }

  /** The sealed text; undefined where it was not sealed with this secret for this purpose. */
  open(purpose: readonly string[], sealed: string): string | undefined {
    const at = sealed.indexOf(".");
    const text = sealed.slice(at + 1);
    const [given, wanted] = [sealed.slice(0, Math.max(at, 0)), this.#mac(purpose, text)].map(encodeUtf8);
    if (given === undefined || wanted === undefined || given.length !== wanted.length) return undefined;
    return timingSafeEqual(given, wanted) ? text : undefined;
  }

  /** JSON keeps the parts apart: no two lists of texts have the same bytes. */
  #mac(purpose: readonly string[], text: string): string {
    return createHmac("sha256", this.#bytes)
      .update(JSON.stringify([FORMAT, ...purpose, text]))
      .digest("base64url");
  }
}

const FORMAT = "countersign audit queue 1";

export function sealRun(run: QueuedRun, secret: QueueSecret): string {
  const { id, at, plan, standard, images } = run;
  return secret.seal(["run", id], JSON.stringify({ at: formatInstantExactly(at), plan, standard, images }));
}

/** @throws CountersignError `record-invalid` for what was sealed with another secret, or for another run. */
export function openRun(id: string, sealed: string, secret: QueueSecret): QueuedRun {
  const label = `audit ${id} in the queue`;
  refuseLarge(sealed, label, LIMITS.queueRunBytes);
  const text = secret.open(["run", id], sealed) ?? refuseForged(label);
  return readRecord(label, () => {
    const json = parseJsonObject(encodeUtf8(text), {
      what: "it",
      code: "record-invalid",
      maxBytes: LIMITS.queueRunBytes,
    });
    const members = new Members(json, "it", ["at", "plan", "standard", "images"]);
    return {
      id,
      at: members.time("at"),
      plan: members.digest("plan"),
      standard: members.required("standard", readStandard),
      images: members.texts("images"),
    };
  });
}

export function sealResult(run: string, image: string, result: QueuedResult, secret: QueueSecret): string {
  const text =
    "facts" in result
      ? `{"facts":${formatFacts(result.facts)}}`
      : JSON.stringify({ error: findingMember(result.error) });
  return secret.seal(["result", run, image], text);
}

/**
 * What a worker has said of this image in this run.
 *
 * @throws CountersignError `record-invalid` for what no worker of this audit said.
 */
export function openResult(run: string, image: string, sealed: string, secret: QueueSecret): QueuedResult {
  const label = `the result for ${image} in the queue`;
  refuseLarge(sealed, label, LIMITS.queueResultBytes);
  const text = secret.open(["result", run, image], sealed) ?? refuseForged(label);
  return readRecord(label, () => {
    const json = parseJsonObject(encodeUtf8(text), {
      what: "it",
      code: "record-invalid",
      maxBytes: LIMITS.queueResultBytes,
    });
    const members = new Members(json, "it", isObject(json["error"]) ? ["error"] : ["facts"]);
    if (json["error"] !== undefined) return { error: members.required("error", readFinding) };
    const facts = members.required("facts", readFacts);
    return facts.image === image ? { facts } : refuseForged(label);
  });
}

function refuseForged(label: string): never {
  throw new CountersignError("record-invalid", `${label} is not sealed with the secret of this audit`, {
    found: "a text by somebody else, or by a machine with another secret",
    wanted: "the same COUNTERSIGN_QUEUE_SECRET on every machine",
    next: "find out who else writes to this queue; nothing of it was believed",
  });
}

function refuseLarge(text: string, label: string, bytes: number): void {
  if (text.length <= bytes) return;
  throw new CountersignError("limit-reached", `${label} is too large to read`, {
    found: `${text.length} characters`,
    wanted: `at most ${bytes} bytes`,
  });
}
