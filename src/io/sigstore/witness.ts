import { CountersignError, toFinding } from "../../core/errors.ts";
import { explainFinding } from "../../core/explain.ts";
import { type LoggedSignature, RecordedBefore } from "../../core/formats/log-record.ts";
import type { RecordSignature, Testimony, Witness, Witnessed } from "../../core/ports.ts";
import { type ReasonCode, reasonClass } from "../../core/reasons.ts";
import type { LogClient } from "./log.ts";
import type { TimestampClient } from "./tsa.ts";

/** So many of these have to do their part, the first ones where they can. */
export interface ClientQuorum<Client> {
  readonly clients: readonly Client[];
  readonly count: number;
}

export interface WitnessOptions {
  readonly timestampAuthorities: ClientQuorum<TimestampClient>;
  readonly logs: ClientQuorum<LogClient>;
  /**
   * Judges a signature with its timestamps before it is shown to a log, which keeps what it is shown for ever.
   *
   * @throws CountersignError where it would be of no use to anyone.
   */
  readonly check?: ((signed: Witnessed, timestamps: readonly Uint8Array[]) => void) | undefined;
  /** Where the logs are out of order, go on without their entries. */
  readonly logLater?: boolean | undefined;
}

/**
 * Timestamps first, since they prove that the certificate was good whatever becomes of the rest; then the log entries. Where
 * fewer services are needed than there are, the next one stands in for one that is out of order.
 */
export function sigstoreWitness(options: WitnessOptions): Witness {
  const { timestampAuthorities, logs, check, logLater = false } = options;
  return {
    async witness(signed): Promise<Testimony> {
      const timestamps = await timestampsOf(timestampAuthorities, signed.signature);
      check?.(signed, timestamps);
      const entries = await collect(logs, (log) => log.record(loggedSignature(signed)));
      if (entries.failure === undefined) return { timestamps, logEntries: entries.answers };
      const failure = notRecorded(entries.failure);
      if (!logLater || !isOutage(failure)) throw failure;
      return { timestamps, logEntries: entries.answers, postponed: toFinding(failure) };
    },
  };
}

/** Writes to the logs alone: what `sign --finish` does of all this. */
export function recorder(logs: ClientQuorum<LogClient>): RecordSignature {
  return async (signed) => {
    const { answers, failure } = await collect(logs, (log) => log.record(signed));
    if (failure !== undefined) throw notRecorded(failure);
    return answers;
  };
}

/** What a log is shown of a signature. */
function loggedSignature({ signer, signedBytes, envelope, signature }: Witnessed): LoggedSignature {
  return { signedBytes, envelope, signature, publicKey: signer.publicKey, certificate: signer.certificates?.[0] };
}

/** What may pass by itself, or with a newer configuration. A log that answers wrongly is not out of order but broken. */
const OUTAGES: ReadonlySet<ReasonCode> = new Set([
  "unreachable",
  "timeout",
  "throttled",
  "server-error",
  "trust-stale",
]);

function isOutage({ code }: CountersignError): boolean {
  return OUTAGES.has(code);
}

function notRecorded(failure: CountersignError): CountersignError {
  if (failure instanceof RecordedBefore) return failure;
  const { code, found } = failure;
  const next = isOutage(failure) ? "try again when the log answers, or sign with --log-later" : failure.next;
  return new CountersignError(code, "no log recorded the signature", {
    found: found === undefined ? failure.message : `${failure.message}: ${found}`,
    next,
  });
}

async function timestampsOf(
  authorities: ClientQuorum<TimestampClient>,
  signature: Uint8Array,
): Promise<readonly Uint8Array[]> {
  const { answers, failure } = await collect(authorities, (authority) => authority.timestamp(signature));
  if (failure === undefined) return answers;
  const { code, found, message } = failure;
  throw new CountersignError(code, "no timestamp authority vouched for the time of signing", {
    found: found === undefined ? message : `${message}: ${found}`,
    next: isOutage(failure) ? "try again when the authority answers" : failure.next,
  });
}

/**
 * Answers of as many clients as are needed. One that could not be asked is replaced by the next; one that lies is not.
 *
 * @throws what is no failure of a service, and `interrupted`.
 */
async function collect<Client, Answer>(
  { clients, count }: ClientQuorum<Client>,
  ask: (client: Client) => Promise<Answer>,
): Promise<{ readonly answers: readonly Answer[]; readonly failure?: CountersignError | undefined }> {
  const waiting = [...clients];
  const answers: Answer[] = [];
  const failures: CountersignError[] = [];
  const place = async (): Promise<void> => {
    for (let client = waiting.shift(); client !== undefined; client = waiting.shift()) {
      try {
        answers.push(await ask(client));
        return;
      } catch (error) {
        failures.push(replaceable(error));
      }
    }
  };
  await Promise.all(Array.from({ length: count }, place));
  return answers.length >= count ? { answers } : { answers, failure: summary(failures) };
}

function replaceable(error: unknown): CountersignError {
  if (error instanceof CountersignError && reasonClass(error.code) === "undetermined") return error;
  throw error;
}

/** One failure as it is; of several, the last with all of them in it. */
function summary(failures: readonly CountersignError[]): CountersignError {
  const last = failures.at(-1) ?? new CountersignError("internal", "there is no service to ask");
  if (failures.length < 2) return last;
  const found = failures.map(explainFinding).join("; ");
  return new CountersignError(last.code, `${failures.length} services failed`, { found, next: last.next });
}
