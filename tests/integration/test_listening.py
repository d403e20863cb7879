"""A port that is taken is said with the setting to change."""

from __future__ import annotations

import socket

import pytest

from callrouter.errors import ConfigurationError
from callrouter.stopping import listen


def test_a_port_that_is_taken_is_said_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port} cannot be used .*CALLROUTER_PORT"):
            listen("127.0.0.1", port, "CALLROUTER_PORT")
