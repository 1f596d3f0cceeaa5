#!/usr/bin/env bash
# Set up, and run the whole line on the embedded default: synthetic reports, rules teacher, small real model, CPU, offline.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh smollm2
exec .venv/bin/python run.py "$@"
