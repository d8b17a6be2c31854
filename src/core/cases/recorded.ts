import { decodeUtf8, encodeBase64, encodeUtf8 } from "../bytes.ts";
import { CountersignError, type Finding } from "../errors.ts";
import { candidateBytes, type Origin, type UntrustedCandidate } from "../formats/envelope.ts";
import { parseJson } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { printableJson } from "../printable.ts";
import { formatInstant, type Instant } from "../time.ts";
import type { Demands } from "../trust/material.ts";
import type { Evidence } from "../verify/evidence.ts";

/**
 * Everything that was found about an image at one moment, so that it can be judged again where there is no network:
 * docs/schemas/recorded.json. Nothing in it is proven, and nobody has signed it: it is for tests and for reports.
 */
export interface RecordedImage {
  /** `registry/repository`; undefined for an image of a layout or an archive. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  readonly recordedAt: Instant;
  /** The trust roots by which it was judged then, which are kept in files beside it; where none are named, the usual ones. */
  readonly trust: readonly RecordedTrust[];
  readonly manifest: Manifest;
  /** The image itself first; of an index every manifest that it lists and that was looked at. */
  readonly subjects: readonly RecordedSubject[];
}

export interface RecordedTrust {
  /** Of the instance; absent for the one that is believed where nothing else is said. */
  readonly name?: string | undefined;
  /** What signatures that rest on it have to bring. */
  readonly demands: Pick<Demands, "logs" | "certificateLogs" | "timestamps">;
}

/** What the file of a trust root is called beside recorded evidence. */
export function trustFileName(name: string | undefined): string {
  return name === undefined ? TRUSTED_ROOT_FILE : `${name}.${TRUSTED_ROOT_FILE}`;
}

const TRUSTED_ROOT_FILE = "trusted_root.json";

export interface RecordedSubject extends Pick<Evidence, "candidates" | "obstacles"> {
  readonly digest: Digest;
}

export const RECORDED_VERSION = 1;

/**
 * The file: one member on a line, so that a difference can be read.
 *
 * @throws CountersignError `limit-reached` for what would not be read again.
 */
export function formatRecorded(recorded: RecordedImage): Uint8Array {
  requireFitting(contentBytes(recorded) * MOST_GROWTH);
  const bytes = encodeUtf8(`${formatText(recorded)}\n`);
  requireFitting(bytes.byteLength);
  return bytes;
}

/** Of text in which every character is written as an escape. */
const MOST_GROWTH = 2;

function contentBytes({ subjects }: RecordedImage): number {
  const candidates = subjects.flatMap((subject) => subject.candidates);
  return candidates.reduce((sum, candidate) => sum + candidateBytes(candidate).byteLength, 0);
}

function requireFitting(bytes: number): void {
  if (bytes <= LIMITS.recordedBytes) return;
  throw new CountersignError("limit-reached", "what is stored beside the image is too much to be recorded", {
    found: `${bytes} bytes`,
    wanted: `at most ${LIMITS.recordedBytes}`,
  });
}

function formatText({ repository, tag, recordedAt, trust, manifest, subjects }: RecordedImage): string {
  const { mediaType, digest, size } = manifest.descriptor;
  return printableJson({
    recordedVersion: RECORDED_VERSION,
    image: { repository, tag },
    recordedAt: formatInstant(recordedAt),
    trust: trust.map(trustMember),
    manifest: { mediaType, digest, size, ...contentMember(manifest.bytes) },
    subjects: subjects.map(subjectMember),
  });
}

function trustMember({ name, demands: { logs, certificateLogs, timestamps } }: RecordedTrust): object {
  return { name, demands: { logs, certificateLogs, timestamps } };
}

function subjectMember({ digest, candidates, obstacles }: RecordedSubject): object {
  return { digest, candidates: candidates.map(candidateMember), obstacles: obstacles.map(obstacleMember) };
}

function candidateMember(candidate: UntrustedCandidate): object {
  const bytes = candidateBytes(candidate);
  const layer =
    candidate.format === "bundle" ? {} : { mediaType: candidate.mediaType, annotations: candidate.annotations };
  return {
    format: candidate.format,
    origin: originMember(candidate.origin),
    ...layer,
    digest: digestOf(bytes),
    ...contentMember(bytes),
  };
}

function originMember({ via, manifest, layer }: Origin): object {
  return { via, manifest, layer };
}

function obstacleMember({ code, message, found, wanted, next }: Finding): object {
  return { code, message, found, wanted, next };
}

/** JSON as JSON where writing it again gives the same bytes, else text where it is that, else base64. */
function contentMember(bytes: Uint8Array): { json: unknown } | { text: string } | { base64: string } {
  const text = textOf(bytes);
  if (text === undefined) return { base64: encodeBase64(bytes) };
  const json = sameJsonOf(bytes, text);
  return json === undefined ? { text } : { json };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = decodeUtf8(bytes);
    return NO_TEXT.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Nobody reads these, and each takes six characters. */
const NO_TEXT = /[^\P{Cc}\n\r\t]/u;

function sameJsonOf(bytes: Uint8Array, text: string): unknown {
  try {
    const json = parseJson(bytes, { what: "it", code: "malformed-signature", maxBytes: LIMITS.recordedBytes });
    return JSON.stringify(json) === text ? json : undefined;
  } catch {
    return undefined;
  }
}
