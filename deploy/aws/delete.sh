#!/usr/bin/env bash
# delete.sh [--yes] [STACK]: removes the stack with its machine and disk.
set -euo pipefail

yes=
if [ "${1:-}" = --yes ]; then
    yes=1
    shift
fi
stack=${1:-kepler-k3s-rapl}
if [ -z "$yes" ]; then
    read -r -p "Remove the stack $stack with its machine and disk? Type its name: " answer
    [ "$answer" = "$stack" ] || { echo "Nothing was removed." >&2; exit 1; }
fi
aws cloudformation delete-stack --stack-name "$stack"
aws cloudformation wait stack-delete-complete --stack-name "$stack"
echo "$stack is removed."
