/** What a validation asks for: so many of these attestors have signed the image, or a statement about it. */
export interface Check {
  readonly attestors: readonly string[];
  readonly attestation?: string | undefined;
  readonly count: number;
}

const NAME = "[A-Za-z_][A-Za-z0-9_]*";
const MEMBER = `(?:\\.${NAME}|\\["[^"\\\\]+"\\]|\\['[^'\\\\]+'\\])`;
const LIST = `\\[((?:attestors${MEMBER},?)+)\\]`;

function call(image: string): string {
  return `(?:verifyImageSignatures\\(${image},${LIST}\\)|verifyAttestationSignatures\\(${image},attestations(${MEMBER}),${LIST}\\))`;
}

const AT_LEAST = "(>|>=|==)([0-9]{1,3})";

/** `images.containers.map(image, verify…(image, [attestors.a])).all(e, e > 0)`, in the three ways that it is written. */
const SHAPES: readonly RegExp[] = [
  new RegExp(`^images${MEMBER}\\.map\\((${NAME}),${call("\\1")}\\)\\.all\\((${NAME}),\\5${AT_LEAST}\\)$`),
  new RegExp(`^images${MEMBER}\\.all\\((${NAME}),${call("\\1")}()${AT_LEAST}\\)$`),
  new RegExp(
    `^images\\.all\\((${NAME}),images\\[\\1\\]\\.all\\((?<image>${NAME}),${call("\\k<image>")}()${AT_LEAST}\\)\\)$`,
  ),
];

/** The expressions that say no more than that; undefined for all others. */
export function readCheck(expression: string): Check | undefined {
  const text = expression.replace(/\s*([()[\],.<>=]+)\s*/g, "$1").trim();
  for (const shape of SHAPES) {
    const found = shape.exec(text);
    if (found !== null) return checkOf(found.filter((_, at) => at > 0));
  }
  return undefined;
}

function checkOf(parts: readonly (string | undefined)[]): Check | undefined {
  const [number = "", comparison = "", , statements, attestation, signatures] = parts.toReversed();
  const count = Number(number) + (comparison === ">" ? 1 : 0);
  const attestors = namesIn(statements ?? signatures ?? "");
  if (count < 1 || attestors.length === 0) return undefined;
  return { attestors, count, ...(attestation !== undefined && { attestation: memberName(attestation) }) };
}

function namesIn(list: string): readonly string[] {
  return list.split(/,?attestors/).flatMap((member) => (member === "" ? [] : [memberName(member)]));
}

function memberName(member: string): string {
  return member.replace(/^(?:\.|\[["'])/, "").replace(/(?:["']\])?,?$/, "");
}
