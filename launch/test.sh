#!/usr/bin/env bash
# Runs the tests in the same environment as launch/local.sh. With --all also the slow ones; other arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
if [ "${1:-}" = --all ]; then
  shift
else
  set -- -m "not slow" "$@"
fi
ruff check .
ruff format --check .
mypy
# Compiling, most of the work, keeps one core busy; a process may grow to 8 GB.
exec python -m pytest --numprocesses=2 --dist=loadfile "$@"
