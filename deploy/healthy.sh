#!/bin/bash
# Docker asks this every few seconds. Healthy is who can serve (/readyz). Who was alive (/livez) and is not three times in a row
# is ended, since Docker itself restarts only what has ended; a process whose loop stands still hears no other signal.
asked() {
  exec 3<>/dev/tcp/127.0.0.1/8000 || return
  printf 'GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]
}

was_alive=/tmp/was-alive not_alive=/tmp/not-alive
if asked livez; then
  : >"$was_alive"
  rm -f "$not_alive"
  asked readyz
else
  [ -e "$was_alive" ] && echo . >>"$not_alive" && [ "$(wc -l <"$not_alive")" -ge 3 ] && kill -KILL -1
  exit 1
fi
