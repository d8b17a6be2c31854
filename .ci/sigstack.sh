#!/bin/bash
# Builds what test/interop/sigstack.ts starts: the released Fulcio and timestamp authority (through a main of our own, which
# opens no port but its own) and the released Rekor 2. Into .cache/peers/bin (or $COUNTERSIGN_PEERS), only what is missing or of
# another version. What cannot be built is no failure: the suite skips and counts it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${COUNTERSIGN_PEERS:-$root/.cache/peers/bin}
again=$root/.ci/again
main=$root/test/interop/sigstack/services.go
export PATH="$PATH:/usr/local/go/bin"

fulcio=github.com/sigstore/fulcio@v1.8.8
tsa=github.com/sigstore/timestamp-authority/v2@v2.1.3
rekor=github.com/sigstore/rekor-tiles/v2@v2.3.0
minutes_per_program=20

build_services() { # FILE
  cp "$main" . && go mod init services && go mod edit -require="$fulcio" -require="$tsa" &&
    "$again" go build -mod=mod -ldflags='-s -w' -o "$1" .
}
build_rekor() { # FILE
  go mod init rekor && "$again" go get "${rekor%@*}/cmd/rekor-server/posix@${rekor#*@}" &&
    go build -ldflags='-s -w' -o "$1" "${rekor%@*}/cmd/rekor-server/posix"
}

# Each in an empty module; a file beside the program tells what it was built of. It is moved into place when it is complete.
provide() { # NAME COMMAND SOURCES
  local folder
  if [[ -x $bin/$1 && $(cat "$bin/$1.from" 2>/dev/null) == "$3" ]]; then
    printf '%-9s  %s\n' present "$1"
  elif ! command -v go >/dev/null; then
    printf '%-9s  %s: Go is not installed\n' missing "$1"
  else
    folder=$(mktemp -d)
    if (cd "$folder" && GOFLAGS='' GOWORK=off timeout "${minutes_per_program}m" bash -c "$2 built") >"$folder/log" 2>&1; then
      mv "$folder/built" "$bin/$1" && printf '%s\n' "$3" >"$bin/$1.from"
      printf '%-9s  %s\n' installed "$1"
    else
      tail -n 3 "$folder/log" >&2
      printf '%-9s  %s could not be built\n' missing "$1"
    fi
    chmod -R u+w "$folder" && rm -rf "$folder"
  fi
}
export -f build_services build_rekor
export again main fulcio tsa rekor

mkdir -p "$bin"
provide sigstack-services build_services "$fulcio $tsa $(cksum <"$main")"
provide sigstack-rekor build_rekor "$rekor"
