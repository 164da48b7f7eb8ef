#!/bin/bash
# Debian 12 with redis-server and postgresql-15 installed; run as root.
set -e
cd "$(dirname "$0")"; mkdir -p logs raw
[ -d venv ] || { ${PYTHON:-python3} -m venv venv; venv/bin/pip install -q -r requirements.txt; venv/bin/pip install -q --no-deps -e ../..; }
redis-cli -p 6390 ping >/dev/null 2>&1 || redis-server --port 6390 --bind 127.0.0.1 --save "" --appendonly no --daemonize yes --pidfile "$PWD/redis.pid" --dir "$PWD" --logfile "$PWD/logs/redis.log"
pg_ctlcluster 15 main status >/dev/null || pg_ctlcluster 15 main start
sleep 2
su postgres -c "psql -qc \"create role peers login superuser password 'peers'\" -c 'create database peers owner peers'" || true
