#!/usr/bin/env bash
# Trains the default experiment on this machine, from nothing: makes .venv, installs, trains, says where the pictures are.
# Arguments go to gan-jax train: launch/local.sh --config=configs/NAME.py --workdir=DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
case " $* " in *" --workdir"*) ;; *) set -- --workdir=workdirs/digits "$@" ;; esac
exec gan-jax train "$@"
