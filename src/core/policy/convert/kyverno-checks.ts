import { LIMITS } from "../../limits.ts";

/** What a validation asks for: so many of these attestors have signed the image, or a statement about it. */
export interface Check {
  readonly attestors: readonly string[];
  readonly attestation?: string | undefined;
  readonly count: number;
}

const NAME = "[A-Za-z_][A-Za-z0-9_]*";
const MEMBER = `(?:\\.${NAME}|\\["[^"\\\\]+"\\]|\\['[^'\\\\]+'\\])`;
const LIST = `\\[(attestors${MEMBER}(?:,attestors${MEMBER})*)\\]`;
const AT_LEAST = "(>|>=|==)([0-9]{1,3})";

/** `images.containers.map(image, CALL).all(e, e > 0)`, and the two other ways in which the same is written. */
const MAPPED = new RegExp(
  `^images${MEMBER}\\.map\\((?<image>${NAME}),(?<call>.*)\\)\\.all\\((?<count>${NAME}),\\k<count>(?<least>[<>=]+[0-9]+)\\)$`,
);
const ALL = new RegExp(`^images${MEMBER}\\.all\\((?<image>${NAME}),(?<body>.*)\\)$`);
const EVERYWHERE = new RegExp(
  `^images\\.all\\((?<kind>${NAME}),images\\[\\k<kind>\\]\\.all\\((?<image>${NAME}),(?<body>.*)\\)\\)$`,
);

/** Any of these; nothing at all where it is false. undefined for an expression that says anything else. */
export function readChecks(expression: string): readonly Check[] | undefined {
  if (expression.length > LIMITS.conditionCharacters) return undefined;
  const text = expression.replace(/\s*([()[\],.<>=|]+)\s*/g, "$1").trim();
  const mapped = MAPPED.exec(text)?.groups;
  const groups = mapped ?? EVERYWHERE.exec(text)?.groups ?? ALL.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { image = "", call = "", least = "", body = `${call}${least}` } = groups;
  if (mapped === undefined && body === "false") return [];
  const checks = (mapped === undefined ? body.split("||") : [body]).map((part) => readCall(part, image));
  return checks.includes(undefined) ? undefined : checks.flatMap((check) => check ?? []);
}

function readCall(text: string, image: string): Check | undefined {
  const signatures = new RegExp(`^verifyImageSignatures\\(${image},${LIST}\\)${AT_LEAST}$`).exec(text);
  if (signatures !== null) return checkOf(signatures[1], signatures[2], signatures[3], undefined);
  const call = `^verifyAttestationSignatures\\(${image},attestations(${MEMBER}),${LIST}\\)${AT_LEAST}$`;
  const statements = new RegExp(call).exec(text);
  return statements === null ? undefined : checkOf(statements[2], statements[3], statements[4], statements[1]);
}

function checkOf(list = "", comparison = "", number = "", attestation: string | undefined): Check | undefined {
  const count = Number(number) + (comparison === ">" ? 1 : 0);
  const attestors = list.split(/,?attestors(?=[.[])/).flatMap((member) => (member === "" ? [] : [memberName(member)]));
  if (count < 1) return undefined;
  return { attestors, count, ...(attestation !== undefined && { attestation: memberName(attestation) }) };
}

function memberName(member: string): string {
  return member.replace(/^(?:\.|\[["'])/, "").replace(/["']\]$/, "");
}
