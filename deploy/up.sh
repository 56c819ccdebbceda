#!/bin/bash
# Starts the deployment, or upgrades a running one without a failed request: migrations (they only add), then containers of
# the new version; when they are ready the old containers stop. If they do not get ready they are removed, and the old
# containers keep running.
set -euo pipefail
cd "$(dirname "$0")/.."

copies=(members trainings matching notifications members-worker trainings-worker matching-worker notifications-worker console)

up() {
  docker compose up --detach --wait --wait-timeout "${KEI_UP_TIMEOUT:-300}" "$@"
}

remove() {  # remove ID...
  [ $# = 0 ] || { docker stop --time 40 "$@" && docker rm "$@"; } >/dev/null
}

double_scales() {  # options that start a second copy of each running container
  local service count
  for service in "${copies[@]}"; do
    count=$(docker compose ps --quiet "$service" | wc -l)
    [ "$count" = 0 ] || echo --scale "$service=$((2 * count))"
  done
}

roll_back() {  # roll_back OLD...
  local new id
  new=$(docker compose ps --all --quiet "${copies[@]}" | grep --line-regexp --invert-match --fixed-strings "$(printf '%s\n' "$@")")
  docker compose logs --tail 10 migrate topics
  for id in $new; do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$id")" = healthy ] || docker logs --tail 5 "$id"
  done
  remove $new
  echo "The new version did not get ready and was removed; the previous version keeps running."
}

docker compose build --quiet
old=$(docker compose ps --quiet "${copies[@]}")
if [ -n "$old" ]; then
  docker compose rm --force --stop migrate topics
  up --no-recreate $(double_scales) || { roll_back $old >&2; exit 1; }
  remove $old
  up
  docker compose exec -T caddy caddy reload --config /etc/caddy/Caddyfile --adapter caddyfile
else
  up
fi
