#!/bin/bash
# Installs the peers of the interop suite, the benches and the conformance runs, each only where it is missing: what
# Debian has from Debian (as root), released Go modules into .cache/peers/bin (or $COUNTERSIGN_PEERS).
# Says what it found, installed and could not get. A peer that cannot be had is no failure: the suite skips and counts it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${COUNTERSIGN_PEERS:-$root/.cache/peers/bin}
again=$root/.ci/again
export PATH="$bin:$PATH:/usr/sbin:/sbin:/usr/local/go/bin"

# An executable and the Debian package that has it.
debian=(
  docker-registry:docker-registry skopeo:skopeo podman:podman dockerd:docker.io docker:docker.io
  htpasswd:apache2-utils openssl:openssl softhsm2-util:softhsm2 pkcs11-tool:opensc
  redis-server:redis-server etcd:etcd-server chromium:chromium notary:notary
)
# What speaks to a token: compiled on this machine, and linked where the checkout looks for it, until the next npm ci.
token_package=pkcs11js@2.1.7
# A name, what is installed, and the build tags. Debian's podman is built without the check of sigstore signatures; podman5 has it.
modules=(
  "cosign github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
  "cosign2 github.com/sigstore/cosign/v2/cmd/cosign@v2.6.4"
  "crane github.com/google/go-containerregistry/cmd/crane@v0.22.1"
  "conformance github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111"
  "podman5 github.com/containers/podman/v5/cmd/podman@v5.6.0 containers_image_openpgp,exclude_graphdriver_btrfs"
  "osv-scanner github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.0"
  "notation github.com/notaryproject/notation/cmd/notation@v1.3.2"
)
minutes_per_module=15
missing=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

note() { printf '%-9s  %-16s %s\n' "$1" "$2" "${3:-}"; }
lacking() {
  note missing "$1" "$2"
  missing+=("$1")
}

install_package() { # PACKAGE
  local options=(-qq -y --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  apt-get "${options[@]}" install "$1" >"$log" 2>&1 || tail -n 1 "$log" >&2
}

install_debian() {
  local packages=() entry
  for entry in "${debian[@]}"; do
    command -v "${entry%%:*}" >/dev/null || packages+=("${entry#*:}")
  done
  if ((${#packages[@]} > 0)) && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    "$again" apt-get update -qq -o APT::Update::Error-Mode=any >"$log" 2>&1 || tail -n 1 "$log" >&2
    # One by one: one that this Debian does not have would keep the others from being installed.
    for entry in "${packages[@]}"; do install_package "$entry"; done
  fi
  for entry in "${debian[@]}"; do
    local path
    if path=$(command -v "${entry%%:*}"); then
      note present "${entry%%:*}" "$path"
    else
      lacking "${entry%%:*}" "Debian package ${entry#*:}, which root installs with apt-get"
    fi
  done
}

# Inside an empty module: modules that are required with replacements cannot be installed by name. The binary is moved
# into place when it is complete.
build_module() { # NAME PACKAGE@VERSION TAGS
  local folder
  folder=$(mktemp -d)
  if (cd "$folder" && go mod init peers && "$again" go get "$2" && go build -tags "$3" -o built "${2%@*}") >"$folder/log" 2>&1; then
    mv "$folder/built" "$bin/$1"
  else
    tail -n 1 "$folder/log" >&2
  fi
  rm -rf "$folder"
}
export -f build_module
export again bin

install_modules() {
  mkdir -p "$bin"
  local entry name module tags
  for entry in "${modules[@]}"; do
    read -r name module tags <<<"$entry"
    if [[ -x $bin/$name ]]; then
      note present "$name" "$bin/$name"
    elif ! command -v go >/dev/null; then
      lacking "$name" "Go is not installed"
    else
      timeout "${minutes_per_module}m" bash -c 'build_module "$@"' _ "$name" "$module" "$tags" || true
      if [[ -x $bin/$name ]]; then note installed "$name" "$module"; else lacking "$name" "$module could not be built"; fi
    fi
  done
}

install_token_package() {
  local name=${token_package%@*} folder
  folder=$(dirname "$bin")/packages
  if [[ -e $root/node_modules/$name ]]; then
    note present "$name" "$root/node_modules/$name"
    return
  fi
  mkdir -p "$folder"
  printf '{"private":true,"allowScripts":{"%s":true}}\n' "$name" >"$folder/package.json"
  "$again" npm install --prefix "$folder" --no-audit --no-fund "$token_package" >"$log" 2>&1 || tail -n 3 "$log" >&2
  if [[ -e $folder/node_modules/$name/build/Release ]]; then
    ln -sfn "$folder/node_modules/$name" "$root/node_modules/$name"
    note installed "$name" "$token_package"
  else
    lacking "$name" "$token_package could not be compiled"
  fi
}

install_debian
install_modules
install_token_package
if ((${#missing[@]} > 0)); then
  echo "peers: ${#missing[@]} missing (${missing[*]}); what needs them is skipped and counted"
else
  echo "peers: all present"
fi
