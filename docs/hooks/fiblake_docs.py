"""Builds what the documentation site has beside its pages: reference made of the code, and its nav.

A page names a part that is made when the site is built, in a comment of its own line:

    <!-- generated: settings -->        one of PARTS, made of the code
    <!-- readme: What the bars are -->  the section of README.md of that title, without it

so that on GitHub it is a page, too, and no file is kept that can go stale.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from reference.columns import columns
from reference.commands import commands
from reference.failures import failures
from reference.measures import metrics, services
from reference.routes import routes
from reference.rules import rules
from reference.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]


def changes() -> str:
    """Return the changelog, without its title."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n")[2]


PARTS: Final[dict[str, Callable[[], str]]] = {
    "changes": changes,
    "settings": settings,
    "commands": commands,
    "routes": routes,
    "metrics": metrics,
    "services": services,
    "errors": failures,
    "rules": rules,
    "columns": columns,
}
_MARK: Final = re.compile(r"^<!-- (generated|readme): (.+) -->$", re.MULTILINE)
_LINK: Final = re.compile(r"(\]\()docs/")
_LOOSE: Final = re.compile(r"\[(notebooks/)\]\(notebooks/\)")
_BESIDE: Final = re.compile(r"(\]\()(?:\.\./)+(notebooks/[^)#]+)")
_PICTURE: Final = re.compile(r'<p><img alt="[^"]*" src="[./]*(images/\w+\.svg)" ?/></p>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Bring into the nav the pages of folders that it names."""
    folder = Path(config.docs_dir)
    config.nav = _filled(config.nav, folder)
    config.watch += [str(ROOT / name) for name in ("lake", "fiblake", "serving_layer")]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Let the site have what pages link to beside them: notebooks, to be downloaded."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = f"notebooks/{path.name}"
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what a page names, and let its links out of the folder of pages lead within the site.

    Raises:
        PluginError: If it names what is none.
    """
    del config, files
    up = "../" * page.file.src_uri.count("/")

    def made(found: re.Match[str]) -> str:
        kind, name = found.groups()
        if kind == "readme":
            return _LOOSE.sub(
                rf"[\1]({up}client.md#notebooks)", _LINK.sub(rf"\1{up}", section(name))
            )
        if name not in PARTS:
            fact = f"{page.file.src_uri} names {name!r}. Allowed: {', '.join(PARTS)}."
            raise PluginError(fact)
        return PARTS[name]()

    return _BESIDE.sub(rf"\1{up}\2", _MARK.sub(made, markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put pictures into the page itself, so that they follow its scheme, light or dark."""
    del page, files
    folder = Path(config.docs_dir)

    def drawn(found: re.Match[str]) -> str:
        return f'<div class="pushed">{(folder / found[1]).read_text("utf-8")}</div>'

    return _PICTURE.sub(drawn, html)


def section(title: str) -> str:
    """Return what README.md says below a heading, up to the next.

    Raises:
        PluginError: If it has no such heading.
    """
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        fact = f"README.md has no section {title!r}."
        raise PluginError(fact)
    return found[1].strip()


def _filled(entry: Any, folder: Path) -> Any:  # noqa: ANN401 - as mkdocs has its nav
    """Return an entry of the nav, with the pages of a folder in that folder's place."""
    if isinstance(entry, dict):
        return {title: _filled(below, folder) for title, below in entry.items()}
    if isinstance(entry, list):
        filled = [_filled(each, folder) for each in entry]
        return [each for one in filled for each in (one if isinstance(one, list) else [one])]
    if entry.endswith("/"):
        names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(f"{entry}*.md"))
        return sorted(names, key=lambda name: not name.endswith("index.md"))
    return entry
