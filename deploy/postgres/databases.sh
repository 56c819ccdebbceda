#!/bin/bash
# Create a database and a role for each service, with the password of its secret. No role can connect to another database.
# The official image runs this script once, when the data directory is empty.
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
