#!/usr/bin/env bash
# stop.sh [STACK]: stops the stack's machine; its disk stays, and costs little.
set -euo pipefail

stack=${1:-kepler-k3s-rapl}
instance=$(aws cloudformation describe-stacks --stack-name "$stack" --query "Stacks[0].Outputs[?OutputKey=='InstanceId'].OutputValue" --output text)
aws ec2 stop-instances --instance-ids "$instance" --output text >/dev/null
aws ec2 wait instance-stopped --instance-ids "$instance"
echo "$stack: $instance is stopped. ./start.sh $stack starts it again, ./delete.sh $stack removes everything."
