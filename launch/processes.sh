#!/usr/bin/env bash
# Trains with several processes on this machine's CPU, as a cluster would:
#     DEVICES=2 launch/processes.sh 4 train --config=configs/NAME.py --workdir=DIR
# Process 0 speaks here, the others into files. Ctrl-C and SIGTERM let training save, a second one ends it at once.
# Where one process fails, all end. Exit code: 0 done, 42 stopped and saved, else that of the first that failed.
#   DEVICES   simulated devices of each process; 1 if not given
#   LOGS      folder for what processes 1, 2, ... say; a temporary one, removed when all went well, if not given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATIENCE=15 # seconds in which the other processes may end by themselves after a failure

if ! [[ "${1:-}" =~ ^[1-9][0-9]*$ && "${2:-}" == train ]]; then
  echo "usage: [DEVICES=D] launch/processes.sh N train --config=... --workdir=...  (N processes of D devices)" >&2
  exit 2
fi
count=$1
shift
source launch/environment.sh
for name in $(compgen -e | grep -i _proxy || true); do unset "$name"; done # a proxy knows no way to this machine
export JAX_PLATFORMS=cpu XLA_FLAGS="${XLA_FLAGS:-} --xla_force_host_platform_device_count=${DEVICES:-1}"

free_port() { # below those that the system gives to connections
  local port
  while
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null
  do :; done
  echo "$port"
}

end_now() { # with the processes that read data for them
  for pid in "${processes[@]}"; do kill -KILL -- "-$pid" 2>/dev/null || true; done
}

end_softly() { kill -TERM "${processes[@]}" 2>/dev/null || true; }

# shellcheck disable=SC2329 # called by the trap
stop() {
  asked=$((asked + 1))
  if ((asked == 1)); then
    echo "stopping; once more ends all at once, without saving" >&2
    end_softly
  else
    end_now
  fi
}

note_failure() { # STATUS
  code=$1
  echo "a process ended with exit code $1, so all end; the processes that write to $logs said last:" >&2
  for ((other = 1; other < count; other++)); do
    tail -n 5 "$logs/process$other.log" | cut -c -300 | sed "s/^/process $other: /" >&2
  done
  end_softly
  (sleep "$PATIENCE" && end_now) &
  watch=$!
  disown
}

run() { exec gan-jax "$@" --coordinator="localhost:$port" --processes="$count" --process="$i" </dev/null; }

logs=${LOGS:-$(mktemp -d)}
mkdir -p "$logs"
port=$(free_port)
processes=() asked=0 code=0 watch=
set -m # a process group for each: Ctrl-C reaches this script alone
trap stop INT TERM HUP
for ((i = 0; i < count; i++)); do
  if ((i == 0)); then run "$@" & else run "$@" >"$logs/process$i.log" 2>&1 & fi
  processes+=($!)
done

left=("${processes[@]}")
while ((${#left[@]} > 0)); do
  wait -n || true # one has ended, or a signal came
  running=()
  for process in "${left[@]}"; do
    if kill -0 "$process" 2>/dev/null; then
      running+=("$process")
    else
      status=0
      wait "$process" || status=$?
      if ((status == 42 && code == 0)); then code=42; fi
      if ((status != 0 && status != 42 && (code == 0 || code == 42))); then note_failure "$status"; fi
    fi
  done
  left=(${running[@]+"${running[@]}"})
done
end_now # what they may have left behind
if [ -n "$watch" ]; then kill -KILL -- "-$watch" 2>/dev/null || true; fi
if [ -z "${LOGS:-}" ] && ((code == 0 || code == 42)); then rm -r "$logs"; fi
exit "$code"
