"""Each Asterisk: reachable, new enough, configured as ours, with a fall-back that rings somebody else.

Through an HTTP client of its own, so that it says something where the workers' connections hang.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.asterisk.ami import Ami, AmiError, AmiRefused
from adapters.asterisk.rest import rest_client
from callrouter.doctor.clocks import compare_http, now
from callrouter.doctor.loop import server_at
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.edges import Edge, edges
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings

OLDEST = (22, 7)
"""StasisBroadcast, by which callers are claimed, is there since."""

MODULES = (
    "app_dial.so", "app_mixmonitor.so", "app_stack.so", "app_stasis.so", "app_stasis_broadcast.so",
    "app_userevent.so", "chan_pjsip.so", "func_channel.so", "func_cut.so", "func_db.so", "func_dialplan.so",
    "func_export.so", "func_groupcount.so", "func_hangupcause.so", "func_strings.so", "func_timeout.so", "func_uuid.so",
    "pbx_config.so", "res_ari_applications.so", "res_ari_asterisk.so", "res_ari_channels.so",
    "res_ari_events.so", "res_ari_playbacks.so", "res_ari_recordings.so", "res_musiconhold.so",
    "res_pjsip_header_funcs.so", "res_rtp_asterisk.so", "res_stasis_broadcast.so", "res_stasis_playback.so",
)  # fmt: skip
"""What the dialplan and the workers cannot do without."""

GLOBALS = ("LEASE", "CAPACITY", "ROUNDS", "DEFAULT_TARGET", "EMERGENCY_TARGET", "ANNOUNCEMENT")
"""Of our dialplan: they stand in the file of the contexts claim, fenced and fallback, which ARI cannot list."""

OUR_NAME = "callrouter"
"""What our Asterisk calls itself in SIP (``user_agent`` in pjsip.conf)."""

_VERSION = re.compile(r"(\d+)\.(\d+)")
_CONTACT = re.compile(r"sips?:(?:[^@]*@)?([^:;>\[\]]+|\[[^\]]+\])(?::(\d+))?")
_CONFIGURE = "start it with the configuration of infra/asterisk/etc"


async def check_asterisks(settings: Settings) -> Sequence[Finding]:
    """Every Asterisk of the settings."""
    try:
        found = edges(settings)
    except ConfigurationError as error:
        return [failed("asterisk", str(error), "correct the setting")]
    password = settings.ari_password.get_secret_value()
    findings: list[Finding] = []
    for edge in found:
        about = f"asterisk {edge.name}"
        async with rest_client(edge.ari_url, settings.ari_user, password) as rest:
            findings += await _look(about, _Rest(rest))
        findings += await _manager(about, edge, settings.ari_user, password)
    return findings


@dataclass(frozen=True, slots=True)
class _Rest:
    """The questions that are asked of one Asterisk."""

    client: httpx.AsyncClient

    async def get(self, path: str, **query: str) -> Any:
        """The decoded answer, None for 404; raises :class:`httpx.HTTPError`."""
        answer = await self.client.get(path, params=query)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return answer.raise_for_status().json()

    async def variable(self, name: str) -> str:
        """A global variable of the dialplan; empty if it is not set."""
        answer = await self.get("/asterisk/variable", variable=name)
        return str(answer["value"]) if answer else ""

    async def setting(self, kind: str, name: str, attribute: str) -> str:
        """An attribute of an object of pjsip.conf; empty if there is none."""
        answer = await self.get(f"/asterisk/config/dynamic/res_pjsip/{kind}/{name}") or []
        return next((str(each["value"]) for each in answer if each["attribute"] == attribute), "")


async def _look(about: str, rest: _Rest) -> list[Finding]:
    before = now()
    try:
        answer = await rest.client.get("/asterisk/info")
        answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        do = "check ARI_USER and ARI_PASSWORD against ari.conf; a 404 means that its modules are not loaded yet"
        return [failed(about, f"its REST interface refuses us (HTTP {error.response.status_code})", do)]
    except httpx.HTTPError as error:
        do = "see that it runs, and check ARI_URL and http.conf (`asterisk -rx 'http show status'`)"
        return [failed(about, f"its REST interface does not answer ({type(error).__name__})", do)]
    return [
        _version(about, str(answer.json()["system"]["version"])),
        *compare_http(about, answer.headers.get("date"), before, now()),
        await _modules(about, rest),
        *await _dialplan(about, rest),
    ]


def _version(about: str, version: str) -> Finding:
    read = _VERSION.search(version)
    if read is None or (int(read[1]), int(read[2])) < OLDEST:
        return failed(about, f"is version {version}", f"move to {OLDEST[0]}.{OLDEST[1]} or later")
    return ok(about, f"version {read[0]} answers")


async def _modules(about: str, rest: _Rest) -> Finding:
    running = {each["name"] for each in await rest.get("/asterisk/modules") or [] if each["status"] == "Running"}
    missing = [each for each in MODULES if each not in running]
    if missing:
        return failed(about, f"lacks the modules {', '.join(missing)}", f"load them in modules.conf, or {_CONFIGURE}")
    return ok(about, f"the {len(MODULES)} modules that are needed run")


async def _dialplan(about: str, rest: _Rest) -> list[Finding]:
    missing = [name for name in GLOBALS if not await rest.variable(name)]
    if missing:
        text = f"its dialplan is not ours: {', '.join(missing)} not set, so callers are neither claimed nor kept"
        return [failed(about, text, _CONFIGURE)]
    found = [ok(about, "the dialplan with claim, fence and fall-back is loaded")]
    if await rest.setting("endpoint", "carrier", "context") != "from-carrier":
        do = "give the endpoint `carrier` the context from-carrier, and identify it by the carrier's addresses"
        found.append(failed(about, "what the carrier sends does not enter at from-carrier", do))
    if not await rest.variable("RECORDINGS"):
        do = "copy infra/asterisk/etc/extensions.conf there and run `asterisk -rx 'dialplan reload'`"
        found.append(warning(about, "its dialplan is of an older release: no talk is recorded", do))
    target = await rest.variable("DEFAULT_TARGET")
    return [*found, *await _fall_back(about, rest, f"provider-{target}")]


async def _fall_back(about: str, rest: _Rest, endpoint: str) -> list[Finding]:
    state = (await rest.get(f"/endpoints/PJSIP/{endpoint}") or {}).get("state")
    if state is None:
        return [failed(about, f"the fall-back rings {endpoint}, which it does not know", "add it to pjsip.conf")]
    found = []
    if state == "online":
        found.append(ok(about, f"the default service ({endpoint}) answers"))
    else:
        do = "see that the service's SIP runs and answers OPTIONS (`asterisk -rx 'pjsip show contacts'`)"
        found.append(failed(about, f"the default service ({endpoint}) does not answer: the fall-back is silent", do))
    contact = await rest.setting("aor", endpoint, "contact")
    return [*found, await _no_loop(about, rest, endpoint, contact)]


async def _no_loop(about: str, rest: _Rest, endpoint: str, contact: str) -> Finding:
    read = _CONTACT.match(contact)
    if read is None:
        return failed(about, f"{endpoint} has no fixed contact", "set `contact = sip:host:port` in pjsip.conf")
    host, port, tcp = read[1], int(read[2] or 5060), "transport=tcp" in contact.lower()
    do = "set the default provider to the 111 service itself, not to this service or its edge"
    binds = [await rest.setting("transport", name, "bind") for name in ("udp", "tcp")]
    server = await server_at(host, port, tcp=tcp)
    if f"{host}:{port}" in binds or (server or "").lower().startswith(OUR_NAME):
        return failed(about, "the fall-back leads back to us: nobody would be rung", do)
    if server is None:
        text = "who answers at the default service could not be asked from here"
        return warning(about, text, "make sure that its address is not one of ours")
    return ok(about, "the fall-back leads to somebody else")


async def _manager(about: str, edge: Edge, user: str, password: str) -> list[Finding]:
    if edge.ami is None:
        do = "set CALLROUTER_AMI_ADDRESS to host:port of each manager, in the order of ARI_URL"
        return [warning(about, "no manager is set: ends that no worker saw are not read", do)]
    try:
        async with Ami(*edge.ami, user, password) as ami:
            rows = await ami.ended_rows()
    except AmiRefused:
        do = "give the user of manager.conf this password and `write = system`"
        return [failed(about, "its manager refuses us", do)]
    except AmiError as error:
        do = "see manager.conf, and check AMI_ADDRESS"
        return [failed(about, f"its manager does not answer ({type(error).__name__})", do)]
    return [ok(about, f"its manager answers; {len(rows)} ends wait to be read")]
