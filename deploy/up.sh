#!/bin/bash
# Starts the deployment, or brings a running one to what is here now without a failed request: migrations first (they only
# add), then each service's containers anew beside the old ones, which end when the new ones are ready.
set -euo pipefail
cd "$(dirname "$0")/.."

replaced() {  # replaced SERVICE
  local old count
  old=$(docker compose ps --quiet "$1")
  [ -n "$old" ] || return 0
  count=$(wc -l <<<"$old")
  echo "Replacing $1 ($count) …"
  docker compose up --detach --no-deps --no-recreate --wait --scale "$1=$((2 * count))" "$1"
  # shellcheck disable=SC2086  one word for each container
  docker stop --time 40 $old >/dev/null && docker rm $old >/dev/null
}

docker compose build --quiet
if [ -n "$(docker compose ps --quiet members)" ]; then
  docker compose up --no-deps --exit-code-from migrate migrate
  docker compose up --no-deps --exit-code-from topics topics
  for service in members trainings matching notifications; do
    replaced "$service"
    replaced "$service-worker"
  done
  replaced console
  docker compose up --detach --wait
  docker compose exec -T caddy caddy reload --config /etc/caddy/Caddyfile --adapter caddyfile
else
  docker compose up --detach --wait
fi
