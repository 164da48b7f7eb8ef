#!/bin/bash
# PASSES passes over all systems, one repetition each: a slow minute of the machine hits one pass, not one system.
cd "$(dirname "$0")"
SYSTEMS=${SYSTEMS:-"rq:fork rq:simple celery celery:record celery:record_reuse dramatiq:t1 dramatiq:t8 dramatiq:record1 django_q:orm django_q:redis procrastinate:c1 procrastinate:c8 huey tasks_db tasks_rq:fork tasks_rq:simple streaq taskiq django_ox:0.05 django_jobs django_jobs:each"}
for p in $(seq ${FIRST:-1} ${PASSES:-3}); do
  for s in $SYSTEMS; do
    timeout 240 venv/bin/python run.py $s --reps 1 --tag pass$p || echo "{\"system\":\"$s\",\"kind\":\"error\",\"tag\":\"pass$p\",\"error\":\"run.py exit $?\"}" | tee -a raw/results.jsonl
  done
  timeout 100 venv/bin/python run.py tasks_db:0.05 latency --reps 1 --tag pass$p
  for s in rq:fork tasks_rq:fork; do timeout 100 venv/bin/python run.py $s latency --rate 10 --n-latency 100 --reps 1 --tag pass$p; done
done
