"""The launch folder: what the scripts start, end and answer, by stand-ins for what they call, and one run in earnest."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from gan_jax import main
from gan_jax.arguments import make_parser
from tests.faults.processes import wait_for

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path for path in (ROOT / "launch").iterdir() if path.suffix in (".sh", ".sbatch"))
JOBSETS = sorted((ROOT / "launch").glob("*.yaml"))

# Tells its words and environment, leaves a process behind, and ends after SECONDS_I with CODE_I; SIGTERM makes it "save".
GAN_JAX = r"""#!/usr/bin/env bash
words="$*"
me=${words##*=}
trap 'echo saved; exit 42' TERM
sleep 1000 >/dev/null 2>&1 &
echo "$!" >"$NOTES/left$me"
{ echo "$words"; echo "$JAX_PLATFORMS $XLA_FLAGS"; env; } >"$NOTES/process$me"
echo "process $me speaks"
seconds=SECONDS_$me code=CODE_$me
for ((tenth = 0; tenth < ${!seconds:-0} * 10 + 2; tenth++)); do sleep 0.1; done
exit "${!code:-0}"
"""
RECORDER = """#!/usr/bin/env bash
printf '%s\\0' "$(basename "$0")" "$@" $'\\n' >>"$NOTES/calls" # in one write, as two may record at once
exit "${CODE:-0}"
"""

# Makes environments with a copy of itself.
PYTHON = """#!/usr/bin/env bash
case "$1 ${2:-}" in
"-V ") echo "Python $VERSION" ;;
"-m venv") echo made >>"$NOTES/made" && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


class Checkout:
    """The launch folder in a place of its own, and the programs that its scripts find first."""

    def __init__(self, folder: Path, **programs: str):
        self.notes = folder / "notes"
        self.root, self._programs = folder / "checkout", folder / "programs"
        shutil.copytree(ROOT / "launch", self.root / "launch")
        (self.root / "launch/environment.sh").write_text("")  # the tests bring their own
        self.notes.mkdir()
        self._programs.mkdir()
        for name, text in programs.items():
            path = self._programs / name.replace("_", "-")
            path.write_text(text)
            path.chmod(0o755)

    def start(self, *words: str, **variables: str) -> subprocess.Popen:
        environment = {**os.environ, "NOTES": str(self.notes), "TMPDIR": str(self.notes), **variables}
        environment["PATH"] = f"{self._programs}:{os.environ['PATH']}"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # Tests that were started in the background have Ctrl-C ignored, and what they start would too.
        command = ["env", "--default-signal=INT", "bash", *words]
        return subprocess.Popen(command, cwd=self.root, env=environment, **pipes)

    def run(self, *words: str, **variables: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        process = self.start(*words, **variables)
        output, errors = process.communicate(timeout=240)
        return process.returncode, output, errors

    def calls(self) -> list[list[str]]:
        """The words of every call of a recorder."""
        return [call.split("\0")[:-1] for call in (self.notes / "calls").read_text().split("\n\0")[:-1]]


@pytest.fixture
def processes(tmp_path):
    return Checkout(tmp_path, gan_jax=GAN_JAX)


def alive(number: int) -> bool:
    path = Path(f"/proc/{number}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def begin(checkout: Checkout, **variables: str) -> subprocess.Popen:
    """Two processes that are at work."""
    process = checkout.start("launch/processes.sh", "2", "train", SECONDS_0="60", SECONDS_1="60", **variables)
    wait_for(lambda: len(list(checkout.notes.glob("process*"))) == 2, 20)
    time.sleep(0.2)
    return process


def parsed(words: list[str]):
    return make_parser(main.COMMANDS).parse_args([word for word in words if not word.startswith(main.OVERRIDE)])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    subprocess.run(["bash", "-n", script], check=True)
    checker = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if checker is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(
        [checker, "--shell=bash", "--external-sources", script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_environment_is_made_anew_for_other_pins_and_another_interpreter(tmp_path):
    checkout = Checkout(tmp_path, **{"python3.12": PYTHON, "other-python": PYTHON})
    shutil.copy(ROOT / "launch/environment.sh", checkout.root / "launch")
    (checkout.root / "pyproject.toml").touch()

    def made(pins, version, python="") -> int:
        """How many environments were made so far, once all is as it is to be."""
        (checkout.root / "requirements.txt").write_text(pins)
        words = ("-c", "set -euo pipefail; source launch/environment.sh; command -v python")
        for _ in range(2):
            code, entered, errors = checkout.run(*words, VERSION=version, PYTHON=python)
            assert (code, entered) == (0, f"{checkout.root}/.venv/bin/python\n"), errors
        return len((checkout.notes / "made").read_text().splitlines())

    assert made("jax==1", "3.12.1") == 1
    assert made("jax==2", "3.12.1") == 2
    assert made("jax==2", "3.12.2") == 3  # renewed in its place
    assert made("jax==2", "3.13.0", "other-python") == 4


@pytest.mark.parametrize(
    ("codes", "answer"),
    [((0, 0, 0), 0), ((0, 3, 0), 3), ((42, 42, 42), 42), ((42, 134, 42), 134), ((2, 2, 2), 2)],
)
def test_processes_answer_with_the_first_failure(processes, codes, answer):
    variables = {f"CODE_{i}": str(code) for i, code in enumerate(codes)}
    late = {f"SECONDS_{i}": "1" for i, code in enumerate(codes) if code == 134}  # after others have stopped
    assert processes.run("launch/processes.sh", "3", "train", "--workdir=DIR", **variables, **late)[0] == answer


def test_processes_get_what_joins_them(processes):
    variables = {"DEVICES": "2", "XLA_FLAGS": "--xla_other", "http_proxy": "http://nowhere", "JAX_PLATFORMS": "tpu"}
    assert processes.run("launch/processes.sh", "3", "train", "--workdir=a b", **variables)[0] == 0
    notes = [(processes.notes / f"process{index}").read_text().splitlines() for index in range(3)]
    (port,) = {re.search(r"--coordinator=localhost:(\d+) ", lines[0])[1] for lines in notes}
    for index, (words, flags, *environment) in enumerate(notes):
        assert words == f"train --workdir=a b --coordinator=localhost:{port} --processes=3 --process={index}"
        assert flags == "cpu --xla_other --xla_force_host_platform_device_count=2"
        assert not any("_proxy" in line.lower() for line in environment)


def test_the_port_is_free():
    function = re.search(r"^free_port\(\).*?^}$", (ROOT / "launch/processes.sh").read_text(), re.DOTALL | re.MULTILINE)[
        0
    ]

    def chosen() -> int:
        return int(subprocess.check_output(["bash", "-c", f"{function}\nRANDOM=7; free_port"]))

    port = chosen()
    with socket.socket() as taken:
        taken.bind(("localhost", port))
        taken.listen()
        assert chosen() != port
    assert 20000 <= port < 32000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_stopped_on_request_save(processes, number, tmp_path):
    process = begin(processes, LOGS=str(tmp_path / "logs"))
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 42
    assert "once more ends all" in errors
    assert output == "process 0 speaks\nsaved\n"
    assert (tmp_path / "logs/process1.log").read_text() == "process 1 speaks\nsaved\n"


def test_a_second_signal_does_not_wait(tmp_path):
    processes = Checkout(tmp_path, gan_jax=GAN_JAX.replace("echo saved; exit 42", "sleep 60"))
    process = begin(processes)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL


def test_a_failure_ends_all_and_tells_where(processes):
    code, output, errors = processes.run(
        "launch/processes.sh", "3", "train", CODE_1="5", SECONDS_0="60", SECONDS_2="60"
    )
    assert code == 5
    assert output == "process 0 speaks\nsaved\n"
    assert "a process ended with exit code 5" in errors
    assert "process 1: process 1 speaks" in errors
    left = [int((processes.notes / f"left{index}").read_text()) for index in range(3)]
    wait_for(lambda: not any(alive(number) for number in left))


@pytest.mark.parametrize("words", [(), ("train",), ("0", "train"), ("2",), ("2", "sample")])
def test_processes_refuse_other_words(processes, words):
    code, _, errors = processes.run("launch/processes.sh", *words)
    assert code == 2
    assert errors.startswith("usage: ")


def test_two_processes_train_in_earnest(tmp_path):
    program = f'#!/usr/bin/env bash\nexec {sys.executable} -m gan_jax.main "$@"\n'
    words = [
        "--config=tests/faults/tiny.py",
        f"--workdir={tmp_path / 'run'}",
        "--config.evaluate.metrics=None",
    ]
    words += ["--config.report.tensorboard=False", "--config.evaluate.standing=0"]
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    checkout = Checkout(tmp_path, gan_jax=program)
    variables = {"PYTHONPATH": str(ROOT), "DEVICES": "2", "XLA_FLAGS": flags}
    code, _, errors = checkout.run("launch/processes.sh", "2", "train", *words, **variables)
    assert code == 0, errors
    assert "training is complete" in (tmp_path / "run/log.txt").read_text()
    assert "step 2/2" in errors


@pytest.mark.parametrize("code", [0, 1, 42, 137])
def test_slurm_queues_again_what_stopped_on_request(tmp_path, code):
    scontrol = RECORDER.replace("${CODE:-0}", "0")
    checkout = Checkout(tmp_path, srun=RECORDER, scontrol=scontrol)
    variables = {"CODE": str(code), "SLURM_JOB_ID": "17", "SLURM_CPUS_PER_TASK": "8"}
    assert checkout.run("launch/slurm.sbatch", "--workdir=a b", **variables)[0] == code
    (step, *rest) = checkout.calls()
    options = ["--kill-on-bad-exit=1", "--cpus-per-task=8"]
    assert step == ["srun", *options, "gan-jax", "train", "--cluster=slurm", "--workdir=a b"]
    assert parsed(step[4:]).cluster == "slurm"
    assert rest == ([["scontrol", "requeue", "17"]] if code == 42 else [])


def test_slurm_signals_the_processes_and_gives_each_a_gpu():
    lines = (ROOT / "launch/slurm.sbatch").read_text().split("\nset ")[0].splitlines()
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    assert options["signal"] == "TERM@300"  # with B: the batch shell alone would get it
    assert "requeue" in options
    assert options["ntasks-per-node"] == options["gpus-per-node"]


def test_tpu_hosts_get_the_same_words(tmp_path):
    checkout = Checkout(tmp_path, gcloud=RECORDER, sudo=RECORDER.replace("exit", "cat >/dev/null; exit"))
    words = ["--config=configs/biggan_digits.py", "--workdir=gs://bucket/a b", "--config.train.length=10 steps"]
    image = "host.pkg.dev/project/repository/gan-jax"
    assert checkout.run("launch/tpu_vm.sh", "slice", "zone-b", "train", *words, IMAGE=image)[0] == 0
    (call,) = checkout.calls()
    assert call[:-1] == ["gcloud", *["compute", "tpus", "tpu-vm", "ssh", "slice", "--zone=zone-b", "--worker=all"]]
    remote = call[-1].removeprefix("--command=")
    (checkout.notes / "calls").unlink()
    assert checkout.run("-c", remote)[0] == 0  # as a host does it
    calls = [call[1:] for call in checkout.calls() if call[0] == "sudo"]
    (login, remove, start) = sorted(calls, key=lambda call: ["login", "rm", "run"].index(call[1]))
    assert login[-1] == "host.pkg.dev"
    assert remove == ["docker", "rm", "gan-jax"]
    assert start[start.index(image) + 1 :] == ["train", "--cluster=auto", *words]
    assert {"--privileged", "--net=host", "--name=gan-jax"} <= set(start)


@pytest.mark.parametrize(
    ("verb", "hosts", "command"), [("log", "0", "logs"), ("stop", "all", "stop"), ("status", "all", "inspect")]
)
def test_tpu_hosts_can_be_asked_and_stopped(tmp_path, verb, hosts, command):
    checkout = Checkout(tmp_path, gcloud=RECORDER)
    assert checkout.run("launch/tpu_vm.sh", "slice", "zone-b", verb)[0] == 0
    (call,) = checkout.calls()
    assert call[-2] == f"--worker={hosts}"
    assert call[-1].startswith(f"--command=sudo docker {command} ")
    assert call[-1].endswith(" gan-jax")


@pytest.mark.parametrize("words", [(), ("slice", "zone-b"), ("slice", "zone-b", "dance"), ("slice", "zone-b", "train")])
def test_tpu_words_that_cannot_be_meant_reach_no_host(tmp_path, words):
    checkout = Checkout(tmp_path, gcloud=RECORDER)
    code, _, errors = checkout.run("launch/tpu_vm.sh", *words, IMAGE="")
    assert code != 0
    assert errors
    assert not (checkout.notes / "calls").exists()


@pytest.fixture(params=JOBSETS, ids=lambda path: path.name)
def jobset(request):
    return yaml.safe_load(request.param.read_text())


def test_a_jobset_starts_all_again_but_what_would_fail_again(jobset):
    """By the types of JobSet's v1alpha2: a failed job matches the rules in order, and if none, all jobs start again."""
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    policy = jobset["spec"]["failurePolicy"]
    assert policy["maxRestarts"] > 0
    (rule,) = policy["rules"]
    assert re.fullmatch("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", rule["name"])
    assert (rule["action"], rule["onJobFailureReasons"]) == ("FailJobSet", ["PodFailurePolicy"])
    (job,) = (replicated["template"]["spec"] for replicated in jobset["spec"]["replicatedJobs"])
    assert job["backoffLimit"] == 0
    lost, failed = job["podFailurePolicy"]["rules"]
    assert (lost["action"], failed["action"]) == ("Ignore", "FailJob")
    assert lost["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert failed["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [1, 2]}
    assert pod["restartPolicy"] == "Never"  # which podFailurePolicy demands
    assert pod["terminationGracePeriodSeconds"] >= 300
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_a_jobset_has_a_process_for_each_pod(jobset):
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    assert job["parallelism"] == job["completions"]
    assert job["completionMode"] == "Indexed"
    (container,) = job["template"]["spec"]["containers"]
    options = parsed([word.replace("$(JOB_COMPLETION_INDEX)", "1") for word in container["args"]])
    (accelerator,) = container["resources"]["limits"]
    if accelerator == "google.com/tpu":
        assert options.cluster == "auto"
        return
    name = jobset["metadata"]["name"]
    assert jobset["spec"]["network"]["enableDNSHostnames"]
    assert options.coordinator.partition(":")[0] == f"{name}-{replicated['name']}-0-0.{name}"  # pod 0 of job 0
    assert options.processes == job["completions"]
    assert options.process == 1
