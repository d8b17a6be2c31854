import { explainFinding, nextStep } from "../core/explain.ts";
import { printable, printableLines } from "../core/printable.ts";
import type { LearnedImage, UnlearnedImage } from "../core/review/learned.ts";
import { unifiedDiff } from "./diff.ts";
import { findingMember, formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";

/** What was learned, and what a policy becomes by it. */
export interface Learning {
  /** As the user named it; undefined where a whole new policy is proposed. */
  readonly file: string | undefined;
  /** The policy as it is; undefined where there is none yet. */
  readonly before: string | undefined;
  /** undefined where nothing is to be added. */
  readonly after: string | undefined;
  readonly isWritten: boolean;
  readonly learned: readonly LearnedImage[];
  /** Names of images that the policy accepts already. */
  readonly known: readonly string[];
  readonly unlearned: readonly UnlearnedImage[];
  readonly leftOut: readonly UnlearnedImage[];
  readonly notes: readonly string[];
}

/** The difference, or the whole policy: for a file. What else is to be said goes to standard error (`learningLines`). */
export function learningText({ file, before, after }: Learning): string {
  if (after === undefined) return "";
  return printableLines(file === undefined ? after : unifiedDiff(before, after, file));
}

/** What was left out, loudly, and what to look at. */
export function learningLines(learning: Learning, style: Style = PLAIN): readonly string[] {
  const { known, unlearned, leftOut, notes, isWritten, file } = learning;
  return [
    ...known.map((name) => `${style.accepted("known")}       ${printable(name)}: the policy accepts it already`),
    ...unlearned.map(
      ({ name, finding }) =>
        `${style.undetermined("not learned")} ${printable(`${name}: ${explainFinding(finding)}; ${nextStep(finding)}`)}`,
    ),
    ...leftOut.map(
      ({ name, finding }) =>
        `${style.undetermined("left out")}    ${printable(`evidence of ${name}: ${explainFinding(finding)}; ${nextStep(finding)}`)}`,
    ),
    ...notes.map((note) => `${style.label("note")}        ${printable(note)}`),
    ...(isWritten ? [`${style.accepted("written")}     ${printable(file ?? "")}`] : []),
  ];
}

/** docs/schemas/policy-learn.json. */
export function learningDocument(learning: Learning): string {
  const { file, before, after, isWritten, learned, known, unlearned, leftOut, notes } = learning;
  return formatDocument("policy learn", {
    file,
    policy: after,
    diff: after === undefined || file === undefined ? undefined : unifiedDiff(before, after, file),
    written: isWritten,
    learned: learned.map(({ name, repository, digest, signedBy, attestedBy }) => ({
      image: name,
      repository,
      digest,
      signedBy: signedBy.map(signerMember),
      attestedBy: [...attestedBy].map(([predicateType, by]) => ({ predicateType, by: by.map(signerMember) })),
    })),
    known,
    notLearned: unlearned.map(({ name, finding }) => ({ image: name, finding: findingMember(finding) })),
    leftOut: leftOut.map(({ name, finding }) => ({ image: name, finding: findingMember(finding) })),
    notes,
  });
}

function signerMember(signer: LearnedImage["signedBy"][number]): Readonly<Record<string, unknown>> {
  if (signer.kind === "key") return { kind: "key", fingerprint: signer.fingerprint };
  return { kind: "identity", identity: signer.identity, trust: signer.trust };
}
