#!/usr/bin/env bash
# Installs countersign and says where it is. A version is one from npm; without any, the action's own checkout is run.
set -euo pipefail

if [ -z "${INPUT_VERSION:-}" ]; then
  # The lock file says what is installed, and nothing of it runs while that is done.
  npm ci --prefix "$GITHUB_ACTION_PATH" --omit=dev --ignore-scripts --no-audit --no-fund
  program="$GITHUB_ACTION_PATH/bin/countersign.js"
elif [[ "$INPUT_VERSION" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; then
  folder="$RUNNER_TEMP/countersign-$INPUT_VERSION"
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund "countersign@$INPUT_VERSION"
  program="$folder/node_modules/countersign/bin/countersign.js"
else
  # npm would take a path, an address or a range as well.
  echo "::error::version is a released version of countersign, as 1.2.3"
  exit 2
fi

echo "program=$program" >> "$GITHUB_OUTPUT"
