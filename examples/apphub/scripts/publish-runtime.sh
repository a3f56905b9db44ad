#!/usr/bin/env bash
# Builds the deprecated all-in-one runtime image and pushes it.
#
#   APPHUB_RUNTIME_IMAGE       repository of the image, required (e.g. ghcr.io/apphub/runtime)
#   APPHUB_RUNTIME_TAG         tag; default: the short hash of the git commit
#   APPHUB_RUNTIME_LATEST_TAG  a second tag for the same image (e.g. latest); default: none
#   APPHUB_RUNTIME_PUSH        0 loads the image into the local engine instead; default: 1
#   BAKE                       how bake is called; default: python3 -m bake
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "[publish-runtime] $*"; }
fail() { say "$*" >&2; exit 1; }

image=${APPHUB_RUNTIME_IMAGE:-}
[[ -n $image ]] || fail 'Set APPHUB_RUNTIME_IMAGE (e.g. ghcr.io/apphub/runtime)'

command -v docker >/dev/null || fail 'The docker CLI is required'

tag=${APPHUB_RUNTIME_TAG:-}
if [[ -z $tag ]]; then
  command -v git >/dev/null || fail 'Set APPHUB_RUNTIME_TAG, or install git for the default tag'
  tag=$(git rev-parse --short HEAD) || fail 'Set APPHUB_RUNTIME_TAG: there is no git commit for the default tag'
fi

alias_tag=${APPHUB_RUNTIME_LATEST_TAG:-}
push=${APPHUB_RUNTIME_PUSH:-1}

arguments=(monolith --image "$image" --tag "$tag")
[[ -z $alias_tag ]] || arguments+=(--tag "$alias_tag")
if [[ $push == 0 ]]; then arguments+=(--load); else arguments+=(--push); fi

say "Building runtime image $image:$tag"
[[ -z $alias_tag ]] || say "Also tagged $image:$alias_tag"
[[ $push != 0 ]] || say 'Skipping push (APPHUB_RUNTIME_PUSH=0)'

# Unquoted on purpose: BAKE may hold a command with arguments.
exec ${BAKE:-python3 -m bake} "${arguments[@]}"
