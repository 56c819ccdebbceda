#!/bin/bash
# Health check of Docker: healthy if /readyz returns 200. After three failed checks of /livez in a row it kills the process,
# since Docker restarts only processes that exited, and a process with a blocked event loop handles no other signal.
responds() {
  exec 3<>/dev/tcp/127.0.0.1/8000 || return
  printf 'GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]
}

was_alive=/tmp/was-alive not_alive=/tmp/not-alive
if responds livez; then
  : >"$was_alive"
  rm -f "$not_alive"
  responds readyz
else
  [ -e "$was_alive" ] && echo . >>"$not_alive" && [ "$(wc -l <"$not_alive")" -ge 3 ] && kill -KILL -1
  exit 1
fi
