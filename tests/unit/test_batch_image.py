"""The image of AWS Batch jobs, as text: no Docker is needed to see what it promises."""

from __future__ import annotations

import re

from tests.batch import DOCKERFILE, ROOT, entry_point, image_environment

FROM = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
COPIED = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)


def test_both_stages_are_of_one_pinned_slim_image() -> None:
    assert 2 == len(FROM)
    assert 1 == len(set(FROM))
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", FROM[0])


def test_the_job_has_no_rights() -> None:
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    after = DOCKERFILE.rpartition("USER")[2]

    assert ["10001"] == users
    assert not re.search(r"^(RUN|COPY)", after, re.MULTILINE)


def test_what_is_installed_is_pinned_with_hashes() -> None:
    commands = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip install[^&\n]*", commands)

    assert 2 == len(installs)
    assert all("--require-hashes --requirement" in install for install in installs)


def test_what_is_copied_exists_and_is_let_through() -> None:
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    sources = {source for line in COPIED for source in line.split()}

    assert set(allowed) == sources
    assert [] == [source for source in sources if not (ROOT / source).exists()]


def test_the_job_logs_lines_that_machines_read() -> None:
    assert {"FIBLAKE_LOG_FORMAT": "json", "FIBLAKE_LOG_LEVEL": "info"} == image_environment()
    assert ["python", "-m", "batch_layer.entry"] == entry_point()
