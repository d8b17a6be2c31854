/** The environment variables that are read under names of their own, beside COUNTERSIGN_* for every flag. */
export interface Variable {
  readonly name: string;
  readonly purpose: string;
  /** Its value is never printed. */
  readonly secret: boolean;
}

function plain(name: string, purpose: string): Variable {
  return { name, purpose, secret: false };
}

function secret(name: string, purpose: string): Variable {
  return { name, purpose, secret: true };
}

export const VARIABLES: readonly Variable[] = [
  plain(
    "DOCKER_CONTENT_TRUST",
    "1: refuse what no signed tag covers, as --signed-tag required (also COUNTERSIGN_TRUST=1); Docker itself does not heed it any more",
  ),
  secret("COSIGN_PASSWORD", "the password of an encrypted private key"),
  secret(
    "COUNTERSIGN_KEY_PASSPHRASE",
    "the passphrase of the keys that signed tags are signed with; COUNTERSIGN_KEY_PASSPHRASE_ROLE for one role's",
  ),
  secret("COUNTERSIGN_KEY_PASSPHRASE_ROOT", "that of the root key alone; likewise _TARGETS, and _NAME of each signer"),
  secret("COUNTERSIGN_KEY_PASSPHRASE_ONLINE", "that of the key for snapshots and timestamps alone"),
  secret("COSIGN_PKCS11_PIN", "the PIN of the token that holds a pkcs11: key"),
  plain("COSIGN_PKCS11_MODULE_PATH", "the library that speaks to that token"),
  secret("SIGSTORE_ID_TOKEN", "an identity token to sign with, where a pipeline gives one so"),
  secret("ACTIONS_ID_TOKEN_REQUEST_URL", "GitHub Actions: where a job gets its identity token"),
  secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GitHub Actions: what it shows there"),
  secret("BUILDKITE_AGENT_ACCESS_TOKEN", "Buildkite: what a job shows to get its identity token"),
  plain("BUILDKITE_AGENT_ENDPOINT", "Buildkite: where it gets that"),
  plain("BUILDKITE_JOB_ID", "Buildkite: for which job"),
  plain("GOOGLE_SERVICE_ACCOUNT_NAME", "Google Cloud: the service account to sign as, by impersonation"),
  plain("GOOGLE_APPLICATION_CREDENTIALS", "Google Cloud: the file with a service account's key"),
  plain("GCE_METADATA_HOST", "Google Cloud: where the metadata server is"),
  secret(
    "GH_TOKEN",
    "a token for GitHub's API, with --github-api; shown to github.com and ghe.com only (also GITHUB_TOKEN)",
  ),
  secret("GITHUB_TOKEN", "the same; and to the server that GITHUB_API_URL names"),
  secret("GH_ENTERPRISE_TOKEN", "the same for other servers of GitHub (also GITHUB_ENTERPRISE_TOKEN)"),
  secret("GITHUB_ENTERPRISE_TOKEN", "the same"),
  plain("GITHUB_API_URL", "GitHub Actions: whose token GITHUB_TOKEN is"),
  plain("GITHUB_ACTIONS", "set in GitHub Actions: what to say where no identity is found"),
  plain("GITLAB_CI", "the same in GitLab"),
  plain("CIRCLECI", "the same in CircleCI"),
  secret("COUNTERSIGN_QUEUE", "--queue, where it has a password"),
  secret("COUNTERSIGN_QUEUE_SECRET", "what the machines of an audit with --queue know, and nobody else"),
  secret("COUNTERSIGN_REGISTRY_PASSWORD", "the password that belongs to --registry-username"),
  plain("JOB_COMPLETION_INDEX", "Kubernetes: which part of an audit --shard auto/n looks at, from 0"),
  plain("DOCKER_CONFIG", "the folder of Docker's config.json, where its logins are kept"),
  plain("REGISTRY_AUTH_FILE", "Podman's login file"),
  secret("DOCKER_AUTH_CONFIG", "logins, in the form of Docker's config.json"),
  plain("XDG_RUNTIME_DIR", "where Podman's login file is looked for"),
  plain(
    "XDG_CONFIG_HOME",
    "where countersign/config.yaml is, and where Podman's login file and certificates for registries are looked for next",
  ),
  plain("SSL_CERT_FILE", "a file of certificate authorities to trust as well"),
  plain("SSL_CERT_DIR", "folders of certificate authorities to trust as well"),
  plain(
    "DOCKER_DEFAULT_PLATFORM",
    "the platform that pull chooses from an index where --platform is not given; no other command heeds it",
  ),
  plain("SOURCE_DATE_EPOCH", "the time in created annotations, in seconds since 1970"),
  plain("XDG_CACHE_HOME", "where signatures, trust material and what registries lack are kept to spare requests"),
  plain("XDG_STATE_HOME", "where it is remembered how far trust repositories were seen, so that none is rolled back"),
  plain("XDG_DATA_HOME", "where the keys are kept that signed tags are signed with"),
  plain(
    "TUF_ROOT",
    "the folder below which trust material is kept instead: in one of our own, never in cosign's files",
  ),
  secret("HTTPS_PROXY", "the proxy for registries (also https_proxy)"),
  secret("HTTP_PROXY", "the proxy for registries that are spoken to in plain HTTP (also http_proxy)"),
  plain("NO_PROXY", "hosts that are spoken to without the proxy (also no_proxy)"),
  plain("DOCKER_HOST", "where the Docker daemon listens"),
  plain("COUNTERSIGN_DOCKER", "the program to run as docker"),
  plain("COUNTERSIGN_PODMAN", "the program to run as podman"),
  plain("DISPLAY", "whether a browser that is opened here is seen (also WAYLAND_DISPLAY)"),
  plain("WAYLAND_DISPLAY", "the same where there is no X11"),
  plain("SSH_CONNECTION", "the same on macOS and Windows, where a session over SSH has no display"),
  plain("KUBECONFIG", "the files that say how clusters are reached, for cluster:// sources"),
  plain("KUBERNETES_SERVICE_HOST", "the cluster's address inside a pod, where cluster:// finds no kubeconfig"),
  plain("KUBERNETES_SERVICE_PORT", "its port"),
  plain("NO_COLOR", "no colour at all, whatever its value"),
  plain("CLICOLOR", "0: no colour"),
  plain("CLICOLOR_FORCE", "colour even where the output is no terminal, unless 0"),
  plain("TERM", "dumb: no colour"),
];

/** A secret says only that it is set; the others say their value. */
export function shownValue(variable: Pick<Variable, "secret">, value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  return variable.secret ? "(set, not shown)" : value;
}

export function describeVariable(variable: Variable): Readonly<Record<string, unknown>> {
  return { name: variable.name, purpose: variable.purpose, secret: variable.secret };
}
