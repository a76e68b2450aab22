"""Workdirs in a bucket: what holds of a folder holds of gs://BUCKET/FOLDER, on a storage server of this process.

TensorStore talks to the server over HTTP, and so do gcsfs and google-cloud-storage where they are installed (the extra
`gcs`). Where they are not, `stand_in/gcsfs.py` takes their place.
"""

import io
import json

import pytest
from etils import epath
from etils.epath import backend
from PIL import Image

from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.arguments import make_parser
from gan_jax.errors import ConfigError, UserError
from gan_jax.main import COMMANDS, main
from gan_jax.report import atomic
from gan_jax.report.log import TrainingLog
from gan_jax.report.page import write_report
from gan_jax.report.writers import read_metrics
from tests.buckets import GCSFS, served

RUN = epath.Path("gs://bucket/run")
QUICK = (
    "--config=tests/faults/tiny.py",
    "--config.report.tensorboard=False",
    "--config.evaluate.at_start=False",
    "--config.evaluate.metrics=None",
    "--config.evaluate.standing=0",
    "--config.evaluate.batch=4",
    "--config.report.rows=2",
    "--config.report.columns=2",
)


@pytest.fixture(scope="module")
def server():
    with served("TENSORSTORE_GCS_HTTP_URL") as (storage, patch):
        patch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "token")
        if not GCSFS:
            patch.setattr("orbax.checkpoint._src.path.gcs_utils.get_bucket", lambda name: None)
        yield storage


@pytest.fixture
def bucket(server):
    """The server, in order whatever the test before did, and empty after the test."""
    server.forbidden = None
    backend.fsspec_backend.fs("gs://bucket").invalidate_cache()  # gcsfs remembers listings
    yield server
    server.forbidden = None
    server.objects.clear()


def train(*words) -> int:
    return main(["train", f"--workdir={RUN}", *QUICK, *words])


def content(storage, name) -> str:
    return storage.objects["bucket", f"run/{name}"].content.decode()


def test_a_run_trains_in_a_bucket_resumes_there_and_is_sampled(bucket, tmp_path):
    cache = f"--config.train.compilation_cache={tmp_path}"
    assert train(cache) == 0
    names = bucket.names("bucket", "run/")
    for name in ("config.json", "environment.json", "metrics.jsonl", "log.txt", "report.html"):
        assert f"run/{name}" in names
    assert [name for name in names if name.startswith("run/samples/")] == [
        "run/samples/0000000000.png",
        "run/samples/0000000032.png",
    ]
    assert not [name for name in names if name.endswith(".partial")]
    assert workdirs.latest(RUN) == 2

    with pytest.raises(ConfigError, match=r"^gs://bucket/run holds a run with another config: config.seed is 5 but 0"):
        train(cache, "--config.seed=5")
    assert bucket.names("bucket", "run/") == names

    assert train(cache, "--config.train.length=4 steps") == 0
    assert workdirs.latest(RUN) == 4
    assert [line["step"] for line in read_metrics(RUN)] == [1, 2, 3, 4]
    assert content(bucket, "log.txt").count("training is complete; pictures in gs://bucket/run/samples") == 2
    assert "data:image/png;base64" in content(bucket, "report.html")

    main(["sample", f"--workdir={RUN}", "--out=gs://bucket/pictures/grid.png", "--count=4"])
    grid = bucket.objects["bucket", "pictures/grid.png"].content
    assert Image.open(io.BytesIO(grid)).format == "PNG"


def test_lines_are_gathered_and_in_the_bucket_when_flushed(bucket, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(atomic.time, "monotonic", lambda: now[0])
    bucket.put("bucket", "run/log.txt", b"from before\n")
    file = atomic.GrowingFile(RUN / "log.txt")
    file.add("first\n")
    assert content(bucket, "log.txt") == "from before\nfirst\n"
    file.add("second\n")
    file.add("third\n")
    assert content(bucket, "log.txt") == "from before\nfirst\n"
    file.flush()
    assert content(bucket, "log.txt") == "from before\nfirst\nsecond\nthird\n"
    generation = bucket.objects["bucket", "run/log.txt"].generation
    file.flush()
    assert bucket.objects["bucket", "run/log.txt"].generation == generation  # nothing new, nothing sent
    now[0] += atomic.SECONDS
    file.add("fourth\n")
    assert content(bucket, "log.txt").endswith("third\nfourth\n")


def test_nothing_of_a_saved_step_waits_for_the_end_of_the_run(bucket):
    with TrainingLog(RUN, 0, 10, 1, tensorboard=False, patience=5) as log:
        log.start(0)
        log.say("hello")
        log.say("again")
        for step in (1, 2, 3):
            log.step(step, 8 * step, {"loss": 1.0})
        log.flush()  # train does this before it saves
        assert [line["step"] for line in read_metrics(RUN)] == [1, 2, 3]
        assert content(bucket, "log.txt").endswith("again\n")
        log.say("the end")
    assert content(bucket, "log.txt").endswith("the end\n")


def test_a_resumed_run_drops_the_lines_beyond_its_checkpoint_in_a_bucket_too(bucket):
    for first, last in ((0, 6), (4, 5)):
        with TrainingLog(RUN, first, 10, 1, tensorboard=False, patience=5) as log:
            log.start(0)
            for step in range(first + 1, last + 1):
                log.step(step, 8 * step, {"loss": float(first)})
            log.flush()
    assert [(line["step"], line["loss"]) for line in read_metrics(RUN)] == [
        (n, 4.0 if n > 4 else 0.0) for n in range(1, 6)
    ]


USES = {
    "check": lambda run: workdirs.check(run, configs.load("configs/biggan_digits.py:quick")),
    "record": lambda run: workdirs.record(run, configs.load("configs/biggan_digits.py:quick")),
    "read": configs.read,
    "latest": workdirs.latest,
    "report": write_report,
    "log": lambda run: TrainingLog(run, 0, 1, 1, tensorboard=False, patience=5).say("hello"),
}


def sentence(error: UserError, place: str) -> None:
    assert str(error).startswith(place) or str(error).startswith(f"--workdir={place}")
    assert "\n" not in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize("use", USES)
def test_a_refusing_store_is_a_sentence(bucket, use):
    bucket.forbidden = 401
    with pytest.raises(UserError, match=r"does not have storage.objects.get access.*credentials") as caught:
        USES[use](RUN)
    sentence(caught.value, "gs://bucket/run")


@pytest.mark.parametrize("use", ["check", "record", "read"])
def test_a_missing_bucket_is_a_sentence(bucket, use):
    with pytest.raises(UserError, match=r"there is no bucket gs://other|see also that the bucket exists") as caught:
        USES[use](epath.Path("gs://other/run"))
    sentence(caught.value, "gs://other/run")


@pytest.mark.parametrize("use", ["check", "record", "read", "report"])
def test_a_missing_client_is_a_sentence_that_says_what_to_install(bucket, monkeypatch, use):
    def missing(*_):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(backend._FileSystemSpecBackend, "fs", missing)
    with pytest.raises(UserError, match=r"Please install gcsfs.*pip install 'gan-jax\[gcs\]'$") as caught:
        USES[use](RUN)
    sentence(caught.value, "gs://bucket/run")


def test_a_place_that_is_no_run_of_ours_is_refused(bucket):
    bucket.put("bucket", "run/photo.jpg", b"")
    with pytest.raises(ConfigError, match=r"^gs://bucket/run is not empty and holds no run"):
        USES["check"](RUN)
    USES["check"](epath.Path("gs://bucket/free"))


def test_the_command_line_keeps_the_slashes_of_a_bucket(capsys):
    options = make_parser(COMMANDS).parse_args(["sample", "--workdir=gs://bucket/run", "--out=gs://bucket/x.png"])
    assert (str(options.workdir), str(options.out / "y")) == ("gs://bucket/run", "gs://bucket/x.png/y")
    with pytest.raises(SystemExit):
        make_parser(COMMANDS).parse_args(["evaluate", "--workdir=ftp://host/run"])
    assert "'ftp://host/run': expected a local path or gs://BUCKET/PATH" in capsys.readouterr().err


def test_files_on_disk_do_not_care_for_signs_in_the_folder_s_name(tmp_path):
    """A glob would read [1e-4] as a set of letters."""
    run = tmp_path / "lr[1e-4]"
    atomic.replace(run / "evaluations" / "1.json", json.dumps({"step": 1, "images": 64, "fid": 12.5}).encode())
    assert "12.5" in write_report(run).read_text()
