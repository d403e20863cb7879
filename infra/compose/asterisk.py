"""``python3 -m infra.compose.asterisk``: render the configuration, then become Asterisk."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from infra.asterisk.instance import AsteriskUnavailable, Ports, find_installation, render
from infra.compose.variables import VariableWrong, asterisk_settings

FOLDER = Path("/var/lib/callrouter")
"""A volume: AstDB keeps the ends of calls that nobody has journalled yet."""

RUN = Path("/run/callrouter")


def main() -> None:
    """Never returns: the container's process is Asterisk itself, and ends as it does."""
    try:
        settings = asterisk_settings(os.environ)
        installation = find_installation()
    except (VariableWrong, AsteriskUnavailable) as error:
        sys.exit(str(error))
    assert isinstance(settings.ports, Ports)
    render(FOLDER, RUN, settings, settings.ports, installation)
    launcher = str(installation.launcher)
    os.execv(launcher, [launcher, "-f", "-C", str(FOLDER / "etc" / "asterisk.conf")])  # noqa: S606


if __name__ == "__main__":
    main()
