"""How long the package takes to start: best of five of each command, in a process of its own.

python benchmarks/startup.py
"""

import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import gan_jax": ["-c", "import gan_jax"],
    "import gan_jax.train": ["-c", "import gan_jax.train"],
    "gan-jax --help": ["-m", "gan_jax.main", "--help"],
    "gan-jax train --help": ["-m", "gan_jax.main", "train", "--help"],
}


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


print("| command | seconds |")
print("|---|---:|")
for name, arguments in COMMANDS.items():
    print(f"| `{name}` | {min(seconds(arguments) for _ in range(5)):.2f} |", flush=True)
