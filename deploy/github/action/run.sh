#!/usr/bin/env bash
# Runs one command of countersign and hands its result to the steps that follow. Kept to what bash 3.2 knows (macOS).
set -euo pipefail

folder="$(mktemp -d "$RUNNER_TEMP/countersign-result-XXXXXX")"
report="$folder/report.json"
args=()
countersign() { node "$PROGRAM" "$@"; }

# Each line that holds something is an argument more, as it is.
add_lines() {
  local line
  while IFS= read -r line; do
    line="${line#"${line%%[![:space:]]*}"}"
    line="${line%"${line##*[![:space:]]}"}"
    [ -z "$line" ] || args+=("$line")
  done <<< "$1"
}

add_judging() {
  [ -z "${INPUT_POLICY:-}" ] || args+=(--policy "$INPUT_POLICY")
  [ -z "${INPUT_KEY:-}" ] || args+=(--key "$INPUT_KEY")
  [ -z "${INPUT_IDENTITY:-}" ] || args+=(--certificate-identity "$INPUT_IDENTITY")
  [ -z "${INPUT_ISSUER:-}" ] || args+=(--certificate-oidc-issuer "$INPUT_ISSUER")
}

# The numbers of the report's summary, as outputs of the step.
counts() {
  node -e '
    const { summary = {} } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    for (const name of ["accepted", "refused", "undetermined"]) {
      if (Number.isSafeInteger(summary[name])) console.log(`${name}=${summary[name]}`);
    }' "$report" >> "$GITHUB_OUTPUT"
}

conclude() {
  echo "exit-code=$1" >> "$GITHUB_OUTPUT"
  [ ! -s "$report" ] || echo "report=$report" >> "$GITHUB_OUTPUT"
  exit "$1"
}

verify() {
  local code=0
  args=(verify)
  add_judging
  add_lines "${INPUT_FLAGS:-}"
  args+=(-o json --output-file "$report" --)
  add_lines "${INPUT_IMAGES:-}"
  countersign "${args[@]}" || code=$?
  [ ! -s "$report" ] || counts
  conclude "$code"
}

# Offline, so that it can be done once for whoever reads the log and once for the steps that follow.
pin_check() {
  local code=0
  args=(pin --check)
  add_lines "${INPUT_FLAGS:-}"
  args+=(--)
  add_lines "${INPUT_SOURCES:-}"
  countersign "${args[@]}" || true
  countersign pin -q -o json --output-file "$report" "${args[@]:1}" || code=$?
  conclude "$code"
}

# The registries are asked once: every other form is made of what was found out then.
audit() {
  local code=0
  args=(audit)
  add_judging
  add_lines "${INPUT_FLAGS:-}"
  args+=(--fail-on none -o json --output-file "$report" --)
  add_lines "${INPUT_SOURCES:-}"
  countersign "${args[@]}" || code=$?
  # Whatever was found out, that ends with 0: this is a call or a policy that cannot be used.
  [ "$code" = 0 ] || conclude "$code"
  counts
  args=(audit merge -q --fail-on none --files-url "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/blob/$GITHUB_SHA")
  countersign "${args[@]}" -o sarif --output-file "$folder/audit.sarif" "$report"
  echo "sarif=$folder/audit.sarif" >> "$GITHUB_OUTPUT"
  countersign "${args[@]}" -o markdown "$report" >> "$GITHUB_STEP_SUMMARY"
  countersign audit merge --fail-on "$INPUT_FAIL_ON" "$report" || code=$?
  conclude "$code"
}

case "$INPUT_COMMAND" in
  verify) verify ;;
  pin-check) pin_check ;;
  audit) audit ;;
  *)
    echo "::error::command is verify, pin-check or audit"
    conclude 2
    ;;
esac
