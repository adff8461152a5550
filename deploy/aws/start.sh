#!/usr/bin/env bash
# start.sh [STACK] [Parameter=Value…]: makes the stack, or starts its machine where it was stopped. STACK is kepler-k3s-rapl.
# Example: ./start.sh kepler-k3s-rapl AllowedCidr=203.0.113.7/32
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

stack=kepler-k3s-rapl
if [ "$#" -gt 0 ] && [[ $1 != *=* ]]; then
    stack=$1
    shift
fi

output() { aws cloudformation describe-stacks --stack-name "$stack" --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text; }

if instance=$(output InstanceId 2>/dev/null) && [[ $instance == i-* ]]; then
    [ "$#" -eq 0 ] || echo "The stack exists: parameters are not changed." >&2
    aws ec2 start-instances --instance-ids "$instance" --output text >/dev/null
    aws ec2 wait instance-running --instance-ids "$instance"
    echo "$stack: $instance runs."
else
    overrides=()
    [ "$#" -eq 0 ] || overrides=(--parameter-overrides "$@")
    aws cloudformation deploy --stack-name "$stack" --template-file kepler-k3s.yaml --capabilities CAPABILITY_IAM "${overrides[@]}"
    instance=$(output InstanceId)
    echo "$stack: $instance runs."
fi
address=$(aws ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].PublicIpAddress' --output text)
echo "MCP:     http://$address:30800/mcp (where AllowedCidr lets you)"
echo "Shell:   $(output Shell)"
echo "Meter:   sudo kepler-node meter, in that shell"
echo "It costs money until it is stopped: ./stop.sh $stack"
