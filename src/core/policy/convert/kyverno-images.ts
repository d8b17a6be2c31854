import { type ImageGlob, STARS, tokensOf } from "../image-pattern.ts";

export { isMoreSpecific } from "./plain-rules.ts";

const HOST_CHARACTER = "[a-z0-9.:\\[\\]-]";
const PATH_CHARACTER = "[a-z0-9._-]";
const ANY_TAG = "(:[a-zA-Z0-9_][a-zA-Z0-9._-]*)?";
const ANY_DIGEST = "(@[a-z0-9]+:[0-9a-f]+)?";

/** CEL that says whether `ref`, an image as it is written in an object, matches. */
export function imageExpression(glob: ImageGlob): string {
  return matches(`^${nameExpression(glob)}${versionExpression(glob)}$`);
}

/**
 * CEL that says whether an image is written so that it can be read in one way: with its registry, and Docker Hub's by its one
 * name and with `library/`.
 */
export const WRITTEN_IN_FULL = [
  matches(`^${HOST_CHARACTER}+(/${PATH_CHARACTER}+)+${ANY_TAG}${ANY_DIGEST}$`),
  `(${matches("^[^/]*[.:]")} || ${matches("^localhost/")})`,
  `!${matches("^(index|registry-1)[.]docker[.]io/")}`,
  `!${matches("^docker[.]io/[^/]*$")}`,
].join(" && ");

function matches(expression: string): string {
  return `ref.matches('${expression.replaceAll("\\", "\\\\")}')`;
}

function nameExpression(glob: ImageGlob): string {
  const tokens = tokensOf(glob);
  const slash = tokens.indexOf("/");
  return tokens.map((token, at) => (at === 0 && token === STARS ? ANY_HOST : expressionOf(token, at < slash))).join("");
}

/** Any registry, and any folders in it. */
const ANY_HOST = `${HOST_CHARACTER}+(/${PATH_CHARACTER}+)*`;

function expressionOf(token: string, isHost: boolean): string {
  if (token === STARS) return `(${PATH_CHARACTER}|/)*`;
  if (token === "*") return `${isHost ? HOST_CHARACTER : PATH_CHARACTER}*`;
  return /[a-z0-9/_:-]/.test(token) ? token : `[${token === "]" || token === "[" ? `\\${token}` : token}]`;
}

/** What is written without a tag and without a digest has the tag `latest`. */
function versionExpression({ tag, digest }: ImageGlob): string {
  if (digest !== undefined) return `${ANY_TAG}@${digest}`;
  if (tag === undefined) return `${ANY_TAG}${ANY_DIGEST}`;
  const exact = `:${tag.replaceAll(".", "[.]")}${ANY_DIGEST}`;
  return tag === "latest" ? `(${exact})?` : exact;
}
