import { type Dialect, memberAt, noResult, parseAnswer, textAt } from "./scanner.ts";

/** Grype (oss.anchore.com, "Supported sources"). It takes an OCI layout, and names the manifest that it found there. */
export const grype: Dialect = {
  name: "grype",
  uri: "pkg:github/anchore/grype",
  form: "oci-layout",
  variables: /^(?:GRYPE_(?:DB_.*|CHECK_FOR_APP_UPDATE)|SYFT_CACHE_.*)$/,
  scanArguments: (image, extra) => [...extra, "--output", "json", `oci-dir:${image}`],
  finished: [0],
  versionArguments: ["version", "--output", "json"],
  readVersion: (stdout) => textAt(parseAnswer("grype", stdout), "version")?.replace(/^v(?=\d)/, ""),
  checkResult(result) {
    if (!Array.isArray(memberAt(result, "matches"))) {
      throw noResult("grype", "JSON of another kind", 'a list "matches"');
    }
    if (memberAt(result, "source", "type") !== "image") {
      throw noResult("grype", "a scan of something else", 'a member "source" of the type "image"');
    }
  },
  // Of the fifth form of its database and of the sixth.
  async database({ result }) {
    const version =
      textAt(result, "descriptor", "db", "status", "schemaVersion") ??
      textAt(result, "descriptor", "db", "schemaVersion");
    const lastUpdate =
      textAt(result, "descriptor", "db", "status", "built") ?? textAt(result, "descriptor", "db", "built");
    const uri = textAt(result, "descriptor", "db", "status", "from");
    return version === undefined ? undefined : { uri, version, lastUpdate };
  },
};
