import { writeYaml, type YamlOutput } from "../../yaml-write.ts";

/** One document of YAML, its members together. */
export function formatDocument(value: YamlOutput): string {
  return writeYaml(value).replace(/^\n+/, "");
}

/** Several documents in one file. */
export function formatDocuments(documents: readonly YamlOutput[]): string {
  return documents.map(formatDocument).join("---\n");
}
