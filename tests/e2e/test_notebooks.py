"""The notebooks run, on the real sample, and are kept without what they print."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from fiblake import Lake
from serving_layer.app import create_app
from tests.access import serving
from tests.browser import ARTEFACTS

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
OF_A_LAKE = 'lake = Lake("../data")'
OF_A_SERVER = '# lake = Client("http://127.0.0.1:8000")  # of `fiblake up`: all below is the same'
TIMEOUT_S = 120


def read(name: str) -> Any:
    path = FOLDER / f"{name}.ipynb"
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture
def in_notebooks(sample_lake_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside which the sample is `data`, as `make demo` leaves it."""
    (tmp_path / "data").symlink_to(sample_lake_folder)
    (tmp_path / "notebooks").mkdir()
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path / "notebooks"


def executed(notebook: Any, folder: Path) -> list[dict[str, Any]]:
    """Run a notebook, and return what its cells show: text, and pictures as PNG in base 64."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"] if "data" in output else {"text": output["text"]} for output in outputs]


def pictures(name: str, shown: list[dict[str, Any]]) -> list[bytes]:
    """Return what was drawn, and keep it to be looked at."""
    found = [b64decode(each["image/png"]) for each in shown if "image/png" in each]
    ARTEFACTS.mkdir(exist_ok=True)
    for number, picture in enumerate(found):
        (ARTEFACTS / f"notebook-{name}-{number}.png").write_bytes(picture)
    return found


def texts(shown: list[dict[str, Any]]) -> str:
    return "\n".join(str(each.get("text/plain") or each.get("text")) for each in shown)


def test_there_are_those_that_are_promised() -> None:
    assert ["breakout", "live_bars", "read_the_lake"] == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_a_notebook_prints_is_not_kept(name: str) -> None:
    code = [cell for cell in read(name).cells if cell.cell_type == "code"]

    assert [] == [cell.source for cell in code if cell.outputs or cell.execution_count]


def test_one_line_moves_a_notebook_from_a_lake_to_its_server(
    in_notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_lake, of_server = read("read_the_lake"), read("read_the_lake")
    cell = next(cell for cell in of_server.cells if OF_A_LAKE in cell.source)
    assert OF_A_SERVER in cell.source
    monkeypatch.chdir(in_notebooks)
    with serving(create_app(Lake("../data").reader)) as at:
        line = OF_A_SERVER.removeprefix("# ").replace("127.0.0.1:8000", at)
        cell.source = cell.source.replace(OF_A_LAKE, "").replace(OF_A_SERVER, line)
        shown = executed(of_lake, in_notebooks)

        assert shown == executed(of_server, in_notebooks)
    assert 2 == len(pictures("read_the_lake", shown))
    for told in ("forming", "4052", "knew no bars at 2013-03-01T21:00:00Z"):
        assert told in texts(shown)


def test_the_breakout_is_tried(in_notebooks: Path) -> None:
    shown = executed(read("breakout"), in_notebooks)

    assert 3 == len(pictures("breakout", shown))
    assert 3 == texts(shown).count("decisions, all the same")
    assert "99 purchases and sales" in texts(shown)


def test_live_bars_are_drawn(in_notebooks: Path) -> None:
    shown = executed(read("live_bars"), in_notebooks)

    assert 1 == len(pictures("live_bars", shown))
    assert "Status(connected=True" in texts(shown)
    assert "2013-02-19" in texts(shown)
