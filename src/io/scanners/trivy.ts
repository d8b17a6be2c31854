import { type Dialect, memberAt, noResult, parseAnswer, textAt } from "./scanner.ts";

/** Flags after which `trivy version` speaks of another database than the scan used. */
const ELSEWHERE = /^(?:--(?:cache-dir|server|config)\b|-c)/;

const VERSION_ARGUMENTS = ["version", "--format", "json"];

/**
 * Trivy (trivy.dev, "Image"). Only vulnerabilities: it would search for secrets too, and what is signed is published.
 * Last come the flags that no other may undo, since variables and settings of its own could.
 */
export const trivy: Dialect = {
  name: "trivy",
  uri: "pkg:github/aquasecurity/trivy",
  form: "docker-archive",
  variables:
    /^TRIVY_(?:CACHE_.*|DB_.*|JAVA_DB_.*|SKIP_(?:DB|JAVA_DB)_UPDATE|SKIP_VERSION_CHECK|DISABLE_TELEMETRY|OFFLINE_SCAN|SERVER|TOKEN.*|CUSTOM_HEADERS|INSECURE|USERNAME|PASSWORD|REGISTRY_TOKEN|REDIS_.*|TIMEOUT)$/,
  scanArguments: (image, extra) => [
    "image",
    "--scanners",
    "vuln",
    ...extra,
    "--input",
    image,
    "--format",
    "json",
    "--exit-code",
    "0",
  ],
  finished: [0],
  versionArguments: VERSION_ARGUMENTS,
  readVersion: (stdout) => textAt(parseAnswer("trivy", stdout), "Version")?.replace(/^v(?=\d)/, ""),
  checkResult(result) {
    if (memberAt(result, "ArtifactType") !== "container_image") {
      throw noResult("trivy", "JSON of another kind", 'a member "ArtifactType" that is "container_image"');
    }
    const results = memberAt(result, "Results");
    if (Array.isArray(results) && results.length > 0) return;
    throw noResult("trivy", "no package that it knows", "an operating system or packages to look up");
  },
  async database({ extra, env, ask }) {
    if (extra.some((arg) => ELSEWHERE.test(arg)) || Object.keys(env).includes("TRIVY_SERVER")) return undefined;
    const versions = parseAnswer("trivy", await ask(VERSION_ARGUMENTS));
    const version = textAt(versions, "VulnerabilityDB", "Version");
    return version === undefined
      ? undefined
      : { version, lastUpdate: textAt(versions, "VulnerabilityDB", "UpdatedAt") };
  },
};
