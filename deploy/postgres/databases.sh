#!/bin/bash
# A database and a role for each service, by the addresses in its secret: nobody may enter another's.
# The public image runs this once, when the server's folder is empty.
set -euo pipefail

for service in members trainings matching notifications; do
  url=$(cat "/run/secrets/${service}_database_url")
  password=${url#*://*:}
  password=${password%@*}
  psql -v ON_ERROR_STOP=1 -q --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    -v service="$service" -v password="$password" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done
psql -v ON_ERROR_STOP=1 -q --username "${POSTGRES_USER:-postgres}" --dbname postgres -c 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC'
