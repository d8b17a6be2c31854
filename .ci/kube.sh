#!/bin/bash
# Builds the Kubernetes API server that test/interop/kube.ts starts (with Debian's etcd): the released module, into
# .cache/peers/bin (or $COUNTERSIGN_PEERS), only where it is missing or of another version. What cannot be built is no failure:
# the suite skips and counts it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${COUNTERSIGN_PEERS:-$root/.cache/peers/bin}
again=$root/.ci/again
name=kube-apiserver
version=v1.34.4
minutes=25
export PATH="$PATH:/usr/local/go/bin"

# Its go.mod points to folders of its own repository, which a module that requires it does not have: their released
# versions, v0.34.4 of Kubernetes v1.34.4, take their place.
staging() { # GO.MOD
  local module
  for module in $(awk '$2 == "=>" && $3 ~ /^\.\/staging\// { print $1 }' "$1" | sort -u); do
    echo "-replace=$module=$module@v0.${version#v1.}"
  done
}
build() { # FILE
  local source
  go mod init kube
  source=$("$again" go mod download -json "k8s.io/kubernetes@$version" | awk -F'"' '$2 == "GoMod" { print $4 }')
  # shellcheck disable=SC2046
  go mod edit -require="k8s.io/kubernetes@$version" $(staging "$source")
  "$again" go get "k8s.io/kubernetes/cmd/$name@$version"
  go build -trimpath -ldflags='-s -w' -o "$1" "k8s.io/kubernetes/cmd/$name"
}
export -f build staging
export again name version

mkdir -p "$bin"
if [[ -x $bin/$name && $(cat "$bin/$name.from" 2>/dev/null) == "$version" ]]; then
  printf '%-9s  %s\n' present "$name"
elif ! command -v go >/dev/null; then
  printf '%-9s  %s: Go is not installed\n' missing "$name"
else
  folder=$(mktemp -d)
  if (cd "$folder" && GOFLAGS=-mod=mod GOWORK=off timeout "${minutes}m" bash -ec 'build built') >"$folder/log" 2>&1; then
    mv "$folder/built" "$bin/$name" && printf '%s\n' "$version" >"$bin/$name.from"
    printf '%-9s  %s\n' installed "$name"
  else
    tail -n 3 "$folder/log" >&2
    printf '%-9s  %s could not be built\n' missing "$name"
  fi
  chmod -R u+w "$folder" && rm -rf "$folder"
fi
