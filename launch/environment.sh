# To be sourced: makes the virtual environment .venv once, with everything that requirements.txt pins, and enters it.
# Made anew when the pins or the version of the interpreter change; otherwise this takes no time.

find_python() {
  for name in "${PYTHON:-}" python3.12 python3.11 python3.13 python3; do
    if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "gan_jax needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python3)" >&2
  return 1
}

# Of what .venv is to be made: the pins, and the interpreter where PYTHON names one, else its own, as that may be renewed.
state() {
  { cat requirements.txt pyproject.toml && "${PYTHON:-.venv/bin/python}" -V || true; } 2>&1 | cksum
}

enter_environment() {
  local stamp=.venv/installed
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(state)" ]; then
    echo "making .venv (some minutes, once) ..." >&2
    "$(find_python)" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    state >"$stamp"
  fi
  PATH="$PWD/.venv/bin:$PATH"
}

enter_environment
