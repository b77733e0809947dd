"""compose.yaml: as Docker Compose reads it, and as the processes that it would start."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lake.services import SERVICES
from lake.settings import Settings
from tests.carried import ticking
from tests.compose import Container, composed, containers, model, wait_until
from tests.dockerfiles import ROOT


@pytest.fixture(scope="module")
def told() -> dict[str, Container]:
    return containers(model())


def test_a_service_runs_the_command_of_its_image(told: dict[str, Container]) -> None:
    ours = {service.name: list(service.command) for service in SERVICES}

    assert ours == {name: told[name].command for name in ours}


def test_each_variable_is_a_setting_or_is_known_to_aws_s_tools(told: dict[str, Container]) -> None:
    ours = [each for each in told.values() if each.image and each.name != "kinesis"]
    named = {name for each in ours for name in each.environment if name.startswith("FIBLAKE_")}

    assert set() == named - {f"FIBLAKE_{field.upper()}" for field in Settings.model_fields}


def test_every_container_is_bounded_and_may_do_and_write_little(told: dict[str, Container]) -> None:
    for name, each in told.items():
        assert each.told["read_only"], name
        assert each.told["init"], name
        assert ["ALL"] == each.told["cap_drop"], name
        assert ["no-new-privileges:true"] == each.told["security_opt"], name
        assert 0 < int(each.told["mem_limit"]) <= 3 << 30, name
        assert 0 < each.told["cpus"] <= 2, name
        assert 0 < each.told["pids_limit"] <= 512, name
        assert "/tmp" in each.mounts, name  # noqa: S108 - in a container


def test_what_runs_for_long_says_how_it_is_and_is_started_again(told: dict[str, Container]) -> None:
    jobs = {"setup", "batch"}

    assert {name for name, each in told.items() if each.health_check} == set(told) - jobs
    assert {"unless-stopped"} == {told[name].told["restart"] for name in set(told) - jobs}


def test_ports_are_open_to_this_machine_alone(told: dict[str, Container]) -> None:
    ports = [each for container in told.values() for each in container.told.get("ports", [])]

    assert ["127.0.0.1"] * 3 == [each["host_ip"] for each in ports]
    assert ["3000", "8000", "9090"] == sorted(each["published"] for each in ports)


def test_others_images_are_pinned_and_files_that_are_mounted_are_there(
    told: dict[str, Container],
) -> None:
    images = [each.told["image"] for each in told.values() if each.image is None]
    pins = (ROOT / "requirements/dev.txt").read_text("utf-8")

    assert all(any(map(str.isdigit, image.partition(":")[2])) for image in images)
    binds = [each for every in told.values() for each in every.told.get("volumes", [])]
    files = [Path(each["source"]) for each in binds if each["type"] == "bind"]

    assert [] == [str(file) for file in files if not any(file.rglob("*.yaml"))]
    assert {True} == {each["read_only"] for each in binds if each["type"] == "bind"}
    assert f"\nmoto=={told['aws'].told['image'].partition(':')[2]} " in pins


def test_nobody_waits_for_what_never_comes(told: dict[str, Container]) -> None:
    for name, each in told.items():
        for other, condition in each.needs.items():
            is_over = condition == "service_completed_successfully"
            assert is_over == (told[other].health_check is None), (name, other)


@pytest.mark.usefixtures("flink")
def test_a_vendor_s_trade_becomes_the_price_that_the_api_tells(tmp_path: Path) -> None:
    """Through Kinesis, Flink, the publisher and Redis, by a key that the setup made."""
    with ticking(tmp_path / "clock") as clock, composed(tmp_path / "system", clock) as system:
        system.up()
        key = (system.volume("key") / "key").read_text("utf-8").strip()
        api = f"http://{system.hosts['api']}:8000"
        asked = f"{api}/v1/live/AAPL?interval=1m&session=extended"
        headers = {"Authorization": f"Bearer {key}"}
        wait_until(lambda: httpx.get(asked, headers=headers).json()["price"], system.said)
        price = httpx.get(asked, headers=headers).json()["price"]
        sold = _sold(f"http://{system.hosts['vendor']}:8001", "AAPL")
        stranger, page = httpx.get(asked), httpx.get(f"{api}/")
        printed = system.said("setup")
        codes = system.down()

    assert price["price"] in sold
    assert (401, 200) == (stranger.status_code, page.status_code)
    assert key in printed
    assert {0} == {code for name, code in codes.items() if name != "kinesis"}, codes


def _sold(vendor: str, symbol: str) -> set[float]:
    """Return the prices of the trades that a vendor has told of."""
    asked = {"apiKey": "local-key", "limit": "50000"}
    told = httpx.get(f"{vendor}/v3/trades/{symbol}", params=asked).json()["results"]
    return {each["price"] for each in told}
