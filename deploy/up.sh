#!/bin/bash
# Starts the deployment, or brings a running one to what is here now without a failed request: migrations first (they only
# add), then the new version's containers beside the old ones, which end when the new ones are ready. New ones that do not
# get ready are taken away again, and the old ones go on.
set -euo pipefail
cd "$(dirname "$0")/.."

copies=(members trainings matching notifications members-worker trainings-worker matching-worker notifications-worker console)

up() {
  docker compose up --detach --wait --wait-timeout "${KEI_UP_TIMEOUT:-300}" "$@"
}

removed() {  # removed ID...
  [ $# = 0 ] || { docker stop --time 40 "$@" && docker rm "$@"; } >/dev/null
}

doubled() {  # what makes the second copy of each container
  local service count
  for service in "${copies[@]}"; do
    count=$(docker compose ps --quiet "$service" | wc -l)
    [ "$count" = 0 ] || echo --scale "$service=$((2 * count))"
  done
}

taken_back() {  # taken_back OLD...
  local new id
  new=$(docker compose ps --all --quiet "${copies[@]}" | grep --line-regexp --invert-match --fixed-strings "$(printf '%s\n' "$@")")
  docker compose logs --tail 10 migrate topics
  for id in $new; do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$id")" = healthy ] || docker logs --tail 5 "$id"
  done
  removed $new
  echo "The new version did not get ready and is taken away; what ran before goes on."
}

docker compose build --quiet
old=$(docker compose ps --quiet "${copies[@]}")
if [ -n "$old" ]; then
  docker compose rm --force --stop migrate topics
  up --no-recreate $(doubled) || { taken_back $old >&2; exit 1; }
  removed $old
  up
  docker compose exec -T caddy caddy reload --config /etc/caddy/Caddyfile --adapter caddyfile
else
  up
fi
