import { ANY_FOLDERS, matchesPath } from "../../core/sources/wildcards.ts";

/** Folders of tools, in which nobody keeps what is deployed. */
const NEVER: ReadonlySet<string> = new Set([".git", ".hg", ".svn", ".terraform", "node_modules", "__pycache__"]);

/** Whether what lies at a path below a folder that was named is left out; slashes, without one at the end. */
export type Excluded = (path: string) => boolean;

/**
 * A pattern without a slash is about names anywhere, one with a slash about paths from the folder that was named. What lies
 * in a folder that is left out is left out too.
 */
export function excluding(patterns: readonly string[]): Excluded {
  const rules = patterns.map((pattern) => {
    const segments = pattern.replace(/^\/|\/$/g, "").split("/");
    return pattern.replace(/\/$/, "").includes("/") ? segments : [ANY_FOLDERS, ...segments];
  });
  return (path) => {
    const segments = path.split("/");
    return NEVER.has(segments.at(-1) ?? "") || rules.some((rule) => matchesPath(rule, segments));
  };
}
