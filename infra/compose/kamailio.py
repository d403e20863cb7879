"""``python3 -m infra.compose.kamailio``: render the configuration, then become Kamailio."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from infra.compose.variables import VariableWrong, kamailio_settings
from infra.kamailio.instance import KamailioUnavailable, find_kamailio, render

RUN = Path("/run/callrouter")


def main() -> None:
    """Never returns: the container's process is Kamailio itself, and ends as it does."""
    try:
        settings = kamailio_settings(os.environ)
        program = str(find_kamailio())
    except (VariableWrong, KamailioUnavailable) as error:
        sys.exit(str(error))
    assert settings.port is not None
    render(RUN / "etc", settings, settings.port)
    config = str(RUN / "etc" / "kamailio.cfg")
    command = [program, "-DD", "-E", "-f", config, "-m", "64", "-M", "8", "-Y", str(RUN), "-P", str(RUN / "pid")]
    os.execv(program, command)  # noqa: S606


if __name__ == "__main__":
    main()
