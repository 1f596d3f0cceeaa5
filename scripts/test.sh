#!/usr/bin/env bash
# Set up with the development tools, and run every check.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh dev
exec make check
