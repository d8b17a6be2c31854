import { type Alike, alike, isHopeful } from "../core/compat/advice.ts";
import type { Diagnosis } from "../core/compat/diagnosis.ts";
import type { PredictedVerdict, Prediction } from "../core/compat/prediction.ts";
import { describeForm } from "../core/compat/shortfall.ts";
import type { StoredSignature, StoredSubject } from "../core/compat/stored.ts";
import { explainFinding } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import type { SignedTag } from "../core/tags/signed-tag.ts";
import { describeSignedTag, tagWarnings } from "../core/tags/signed-tag-words.ts";
import { formatInstant } from "../core/time.ts";
import { plural } from "./amounts.ts";
import { findingMember, formatDocument, signedTagMember } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";

/** With what the image was reached by, where a root of its repository is pinned. */
type DiagnosedImage = Diagnosis & { readonly signedTag?: SignedTag | undefined };

const CAVEAT =
  "Predicted from what is stored; nothing was verified for these programs, and their own policies were not read.";

/** The image and what lies beside it, then a block for each verifier: its verdict, why, and what to add. */
export function diagnosisText(diagnosis: DiagnosedImage, style: Style = PLAIN): string {
  const { name, stored, predictions, obstacles, broken } = diagnosis;
  const lines = [
    style.heading(printable(name)),
    ...signedTagRows(diagnosis, style),
    ...row(style, "stored", describeSubject(stored.root)),
    ...stored.platforms.flatMap((subject) =>
      row(style, "", `${subject.platform ?? subject.digest}: ${describeSubject(subject)}`),
    ),
    ...obstacles.flatMap((finding) => row(style, "unseen", explainFinding(finding))),
    ...broken.flatMap((finding) => row(style, "broken", explainFinding(finding))),
    ...alike(predictions).flatMap((group) => ["", ...block(group, style)]),
    "",
    style.label(CAVEAT),
  ];
  return `${lines.join("\n")}\n`;
}

/** By what it was reached, and where the others get something else. */
function signedTagRows({ signedTag }: DiagnosedImage, style: Style): readonly string[] {
  if (signedTag === undefined) return [];
  const text = `${describeSignedTag(signedTag)}, current until ${formatInstant(signedTag.freshUntil)}`;
  const warnings = tagWarnings(signedTag).map((finding) => explainFinding(finding));
  return [...row(style, "signed", text), ...warnings.flatMap((warning) => row(style, "warning", warning))];
}

const INDENT = 2;
const LABEL_WIDTH = 10;

function row(style: Style, label: string, text: string): readonly string[] {
  return [`${style.label(`${" ".repeat(INDENT)}${label.padEnd(LABEL_WIDTH)}`)}${printable(text)}`];
}

const DRESS: Readonly<Record<PredictedVerdict, keyof Style>> = {
  accepts: "accepted",
  refuses: "refused",
  depends: "undetermined",
  unknown: "undetermined",
};

function block({ predictions, add }: Alike, style: Style): readonly string[] {
  const [{ verdict, because, needs }] = predictions;
  const label = style[DRESS[verdict]](verdict.padEnd(LABEL_WIDTH + INDENT));
  const gap = " ".repeat(LABEL_WIDTH + INDENT);
  return [
    ...predictions.map(
      ({ title, versions }, at) => `${at === 0 ? label : gap}${style.heading(`${title} ${versions}`)}`,
    ),
    ...row(style, "because", because),
    ...(isHopeful(verdict) ? needs.flatMap((need) => row(style, "needs", need)) : []),
    ...add.flatMap((step) => row(style, "add", step)),
  ];
}

/** `2 bundles, a legacy signature`: what is there, kind by kind. */
function describeSubject({ signatures }: StoredSubject): string {
  if (signatures.length === 0) return "no signature";
  const counts = new Map<string, number>();
  for (const signature of signatures) {
    const kind = describeKind(signature);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => (count === 1 ? kind : `${kind} (${count} times)`)).join("; ");
}

function describeKind(signature: StoredSignature): string {
  const { maker, entries, timestamps, form } = signature;
  if (form === "notation") return `${describeForm(signature)}, ${signature.envelopeType ?? "unknown"}`;
  const by = maker.kind === "certificate" ? "with a certificate" : "by a key";
  const log =
    entries.length === 0 ? "no log entry" : entries.length === 1 ? "a log entry" : `${entries.length} log entries`;
  const times = timestamps === 0 ? "" : `, ${plural(timestamps, "timestamp")}`;
  return `${describeForm(signature)} ${by}, ${log}${times}`;
}

/** docs/schemas/doctor.json. */
export function diagnosisDocument(diagnosis: DiagnosedImage): string {
  const { image, name, digest, signedTag, stored, predictions, obstacles, broken } = diagnosis;
  return formatDocument("doctor", {
    image,
    name,
    digest,
    signedTag: signedTag && signedTagMember(signedTag),
    verified: false,
    incomplete: obstacles.length > 0,
    stored: [stored.root, ...stored.platforms].map(subjectMember),
    predictions: predictions.map(predictionMember),
    obstacles: obstacles.map(findingMember),
    broken: broken.map(findingMember),
  });
}

function subjectMember({ digest, platform, signatures, referrers }: StoredSubject): Readonly<Record<string, unknown>> {
  return { digest, platform, referrers, signatures: signatures.map(signatureMember) };
}

function signatureMember({
  form,
  listing,
  manifest,
  layer,
  ...signature
}: StoredSignature): Readonly<Record<string, unknown>> {
  const { maker, version, envelopeType, predicateType, repository, entries, timestamps, isAbout, wanted } = signature;
  return {
    form,
    listing,
    manifest,
    layer,
    about: isAbout,
    version,
    envelopeType,
    predicateType,
    repository,
    maker: maker.kind,
    algorithm: maker.kind === "unread" ? undefined : maker.algorithm,
    logEntries: entries.map(({ kind }) => kind),
    timestamps,
    wanted: wanted?.made,
  };
}

function predictionMember(prediction: Prediction): Readonly<Record<string, unknown>> {
  const { peer, title, versions, asked, verdict, because, sees, needs, add } = prediction;
  return {
    peer,
    title,
    versions,
    asked,
    verdict,
    because,
    sees: sees.map(({ form, manifest, layer }) => ({ form, manifest, layer })),
    needs,
    add,
  };
}
