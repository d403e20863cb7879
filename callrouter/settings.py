"""One settings object, from the environment (``CALLROUTER_…``) or the file that ``CALLROUTER_SETTINGS_FILE`` names.

An unknown key is refused, so that a slip of the pen never goes live. In production nothing has a convenient
default that would be unsafe: see :meth:`Settings.check`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from callrouter.errors import ConfigurationError
from callrouter.role_claims import read_role_claims
from infra.sql_address import check_address
from infra.urls import is_safe

PREFIX = "CALLROUTER_"
FILE_KEY = "CALLROUTER_SETTINGS_FILE"
_ELSEWHERE = {FILE_KEY, "CALLROUTER_CACHE", "CALLROUTER_DEBIAN_MIRROR"}  # read by set-up scripts
_HERE = Path(__file__).resolve().parent
_READ_AT_ONCE = (
    "flow_file", "prompts_file", "texts_file", "providers_file", "hours_file", "shared_lines_file",
    "plan_sources_file", "alert_rules_file", "indicators_file",
)  # fmt: skip

_LONGEST_SYSTEM = 60
_SHORTEST_TOKEN = 32  # characters of a secret that only machines know


class Settings(BaseSettings):
    """Every key of the service. Times in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses everything that is only convenient"
    )
    data_dir: Path = Field(Path("data"), description="folder for database, keys and tokens of a development set-up")
    database_url: str | None = Field(
        None, description="sqlite:///file or postgresql://user@host/name; default: SQLite in data_dir", repr=False
    )
    redis_url: SecretStr | None = Field(
        None,
        description="live calls shared by several workers: redis://host:port, redis+sentinel://… or redis+cluster://…",
    )
    keys: SecretStr | None = Field(
        None,
        description="master key and index key, base64 of 64 octets; more pairs, apart by white space, still open and "
        "are still asked while keys are changed",
    )
    keys_file: Path | None = Field(
        None, description="a file with the same, a pair in a line; read when KEYS is not set"
    )

    parts: Literal["all", "calls", "background"] = Field(
        "all",
        description="what `callrouter serve` does beside others on one Redis: calls and, while no "
        "background process works, what is made of them; background: pages and what is made of calls; all: both",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8111, ge=0, le=65535, description="TCP port to listen on")
    public_url: str | None = Field(
        None, description="the address that Twilio and browsers see, without path; default: http://host:port"
    )

    audit_key: SecretStr | None = Field(
        None, description="base64 of 32 octets: signs the length and end of the audit of plans"
    )
    audit_heads_url: str | None = Field(
        None, description="where signed ends of the audit are posted besides the file: another house, https"
    )
    audit_heads_token: SecretStr | None = Field(None, description="bearer token for AUDIT_HEADS_URL")
    audit_keys_before: str = Field(
        "", description="public keys that signed the audit before the present one, base64, separated by blanks"
    )
    retention_file: Path | None = Field(
        None, description="how long records of plans are kept; default: ours, of which nothing is verified: all is kept"
    )
    audit_heads_file: Path | None = Field(
        None,
        description="where they are kept besides the database: another disk or house; default: audit-heads in data_dir",
    )

    session_secret: SecretStr | None = Field(None, description="signs the sign-in cookie")
    development_sign_in: bool | None = Field(
        None,
        description="let anybody choose name and role; default: in development without a provider, never in production",
    )
    oidc_issuer: str | None = Field(
        None, description="people sign in through this OpenID Connect provider; its issuer, exactly as it names itself"
    )
    oidc_client_id: str = Field("", description="the name that the provider knows this service by")
    oidc_client_secret: SecretStr | None = Field(None, description="shows the provider that it is this service")
    oidc_roles: str = Field("", description="role for each value of the role claim: value=role, comma separated")
    oidc_role_claim: str = Field("roles", description="claim of the ID token that says what somebody works as")
    oidc_user_claim: str = Field("sub", description="claim of the ID token that names a person for ever and alone")
    oidc_organisation_claim: str = Field(
        "organisation",
        description="claim of the ID token that says whom somebody works for: references open to it",
    )
    open_wallboard: bool = Field(False, description="show the wallboard (figures only) without sign-in")
    small_counts_of_providers: Literal["held_back", "shown"] = Field(
        "held_back",
        description="counts under 5 of a provider and of all calls outside the clinical roles; shown only where "
        "information governance has signed it",
    )

    twilio_auth_tokens: SecretStr | None = Field(
        None, description="auth tokens that sign webhooks, comma separated (two while one is being replaced)"
    )
    fallback_number: str = Field("", description="number of the default 111 service for Twilio's fall-back, E.164")
    fallback_url: str | None = Field(
        None, description="where Twilio finds its fall-back, on another host; only `callrouter doctor` looks at it"
    )

    flow_file: Path = Field(_HERE.parent / "ivr/flows/london-111.yaml", description="the flow of every call")
    prompts_file: Path = Field(_HERE.parent / "ivr/prompts/en.yaml", description="prompt texts by key")
    prompts_audio_dir: Path | None = Field(None, description="recorded prompts for Asterisk, one file for each key")
    providers_file: Path = Field(_HERE / "providers.yaml", description="the local providers behind the front door")
    hours_file: Path = Field(_HERE / "hours.yaml", description="when services are open, by the clocks of London")
    plan_sources_file: Path | None = Field(
        None, description="where care plans come from (docs/plan-sources.md); none: only what a person imports"
    )
    alert_rules_file: Path = Field(_HERE.parent / "alerts/rules/rules.yaml", description="alert rules and who is told")
    indicators_file: Path = Field(
        _HERE.parent / "alerts/surges/indicators.yaml", description="what callers' choices and words count to"
    )
    lookup_budget_ms: int = Field(250, ge=10, le=2000, description="longest that one look-up may hold a caller")

    approval_days: int = Field(
        14, ge=1, le=90, description="how long an approval of a flow holds; for clinical safety to sign"
    )

    encounter_keys: SecretStr | None = Field(
        None, description="who may post reports of calls: ODS code:SHA-256 of its key, comma separated; none: nobody"
    )
    shared_lines_file: Path = Field(
        _HERE.parent / "infra/shared_lines.yaml", description="numbers that many people call from, with their source"
    )

    smtp_host: str | None = Field(None, description="mail server for alert notices; none: no e-mail is sent")
    smtp_port: int = Field(25, ge=1, le=65535, description="port of the mail server")
    smtp_starttls: bool = Field(False, description="encrypt the connection to the mail server")
    smtp_sender: str = Field("callrouter@localhost", description="sender of alert notices")
    voice_trunk: str = Field(
        "",
        description="staff are called through this PJSIP endpoint of Asterisk (provider-⟨id⟩); none: not by Asterisk",
    )
    voice_caller: str = Field(
        "", description="number that staff see when they are called, E.164; with Twilio's account set, it calls, too"
    )
    voice_dir: Path | None = Field(
        None,
        description="folder that this service writes and Asterisk reads: notices as they are spoken; "
        "default: notices in PROMPTS_AUDIO_DIR",
    )
    alertmanager_url: str = Field(
        "", description="Alertmanagers that hear of every alert (http://127.0.0.1:9093), comma separated; none: nobody"
    )
    webhook_secret: SecretStr | None = Field(None, description="signs alert webhooks (HMAC-SHA-256)")
    bounce_secret: SecretStr | None = Field(
        None, description="signs what a mail gateway posts to /notices/bounces; none: the address is not there"
    )

    auditor_url: str | None = Field(
        None, description="where the alert auditor takes the notices of its probes; none: no auditor runs"
    )
    auditor_number: str = Field(
        "+442079460999",
        pattern=r"^\+[0-9]{6,15}$",
        description="reserved dialled number of probes; the telephone network must bring nobody to it",
    )
    auditor_listen: str = Field("127.0.0.1:8119", description="host:port on which the alert auditor listens")
    auditor_every_s: float = Field(60, ge=1, le=60, description="time between two probes")
    auditor_silent_s: float = Field(
        150, ge=2, le=165, description="without a probe's notice for so long, the dead-man's switch fires"
    )
    auditor_email: str | None = Field(None, description="who is told when it fires, by e-mail")
    auditor_smtp_host: str | None = Field(None, description="the auditor's own mail server, not that of the service")
    auditor_smtp_port: int = Field(25, ge=1, le=65535, description="port of the auditor's own mail server")
    auditor_smtp_starttls: bool = Field(False, description="encrypt the connection to the auditor's own mail server")
    auditor_webhook: str | None = Field(None, description="an address that is told when it fires")
    auditor_webhook_secret: SecretStr | None = Field(None, description="signs what the auditor tells that address")

    texts_file: Path = Field(_HERE / "texts.yaml", description="texts that may be sent to callers and crews")
    crew_devices_file: Path | None = Field(None, description="approved devices of crews; none: no crew is told")
    crew_system: str = Field("111 call control", description="where crews open the reference, as the text names it")
    pass_on_to: str = Field(
        "", description="organisations that calls are passed on to, separated by ; as their people are signed in"
    )
    crew_feed_key: SecretStr | None = Field(
        None, description="key of the feed that tells of ambulances requested; at least 32 characters"
    )
    govuk_notify_api_key: SecretStr | None = Field(None, description="texts go by GOV.UK Notify, with this key")
    govuk_notify_url: str = Field(
        "https://api.notifications.service.gov.uk", description="address of GOV.UK Notify's interface"
    )
    govuk_notify_token: SecretStr | None = Field(
        None, description="bearer token that GOV.UK Notify's delivery receipts bear; at least 32 characters"
    )
    twilio_account_sid: str = Field("", description="texts go by Twilio (after GOV.UK Notify, if both are set)")
    twilio_texts_from: str = Field("", description="what Twilio's texts come from: number, name or messaging service")
    twilio_api_url: str = Field("https://api.twilio.com", description="address of Twilio's interface")

    ari_url: str | None = Field(
        None, description="Asterisk's REST address (http://127.0.0.1:8088/ari), several comma separated; none: no SIP"
    )
    ami_address: str | None = Field(
        None,
        description="host:port of each Asterisk's manager, in the same order: ends that no worker saw are read there",
    )
    ari_user: str = Field("callrouter", description="user of Asterisk's REST interface")
    ari_password: SecretStr = Field(SecretStr(""), description="password of Asterisk's REST interface")

    @property
    def is_production(self) -> bool:
        """Whether callers are real."""
        return self.environment == "production"

    @property
    def database(self) -> str:
        """The address of the database in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'callrouter.db'}"

    @property
    def address(self) -> str:
        """The public address in force, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    def make_data_dir(self) -> None:
        """Make the data folder where there is none; raises :class:`ConfigurationError` if that cannot be done."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{PREFIX}DATA_DIR: {self.data_dir} cannot be made ({error.strerror}): name another folder"
            ) from error

    @property
    def organisations_passed_to(self) -> tuple[str, ...]:
        """Those of ``pass_on_to``, in their order."""
        return tuple(each for part in self.pass_on_to.split(";") if (each := part.strip()))

    @property
    def tells_small_counts(self) -> bool:
        """Whether counts under 5 of providers and of the whole service are told outside the clinical roles."""
        return self.small_counts_of_providers == "shown"

    @property
    def sign_in_is_open(self) -> bool:
        """Whether the development sign-in is offered."""
        if self.development_sign_in is None:
            return not self.is_production and self.oidc_issuer is None
        return self.development_sign_in

    def check(self) -> None:
        """Raise :class:`ConfigurationError`, naming every key that is not fit to run with."""
        wrong: list[str] = []
        if self.redis_url is not None:
            from infra.redis import RedisAddress  # its client is not for commands that ask no Redis

            try:
                RedisAddress.parse(self.redis_url.get_secret_value())
            except ValueError as error:
                wrong.append(f"REDIS_URL: {error}")
        try:
            check_address(self.database)
        except ValueError as error:
            wrong.append(f"DATABASE_URL: {error}")
        if self.parts != "all" and self.redis_url is None:
            wrong.append("PARTS: without REDIS_URL one process does everything")
        wrong += self._wrong_of_sign_in()
        wrong += self._wrong_of_texts()
        wrong += self._wrong_of_auditor()
        if self.is_production:
            wrong += [
                f"{key}: must be set in production"
                for key, value in (
                    ("KEYS", self.keys or self.keys_file),
                    ("AUDIT_KEY", self.audit_key),
                    ("SESSION_SECRET", self.session_secret),
                    ("TWILIO_AUTH_TOKENS", self.twilio_auth_tokens),
                    ("FALLBACK_NUMBER", self.fallback_number),
                    ("DATABASE_URL", self.database_url),
                )
                if not value
            ]
            if not self.address.startswith("https://"):
                wrong.append("PUBLIC_URL: must begin with https:// in production")
        if wrong:
            raise ConfigurationError("\n".join(f"{PREFIX}{each}" for each in wrong))

    def check_files(self) -> None:
        """Raise :class:`ConfigurationError`, naming every key whose file the service needs and cannot read.

        Not a part of :meth:`check`: commands that need none of them go without them.
        """
        wrong: list[str] = []
        for name in _READ_AT_ONCE:
            path: Path | None = getattr(self, name)
            try:
                if path is not None:
                    path.open("rb").close()
            except OSError as error:
                wrong.append(f"{PREFIX}{name.upper()}: {path}: {error.strerror}")
        if wrong:
            raise ConfigurationError("\n".join(wrong))

    def _wrong_of_texts(self) -> list[str]:
        wrong: list[str] = []
        if bool(self.twilio_account_sid) != bool(self.twilio_texts_from):
            wrong.append("TWILIO_ACCOUNT_SID: must be set together with TWILIO_TEXTS_FROM")
        if self.twilio_account_sid and self.twilio_auth_tokens is None:
            wrong.append("TWILIO_AUTH_TOKENS: must be set for texts by Twilio; the first is used")
        if self.govuk_notify_api_key is not None:
            token = self.govuk_notify_token.get_secret_value() if self.govuk_notify_token else ""
            if len(token) < _SHORTEST_TOKEN:
                wrong.append(f"GOVUK_NOTIFY_TOKEN: at least {_SHORTEST_TOKEN} characters, for its delivery receipts")
        if self.crew_feed_key is not None and len(self.crew_feed_key.get_secret_value()) < _SHORTEST_TOKEN:
            wrong.append(f"CREW_FEED_KEY: at least {_SHORTEST_TOKEN} characters")
        if self.crew_devices_file is not None and not (self.govuk_notify_api_key or self.twilio_account_sid):
            wrong.append("CREW_DEVICES_FILE: needs a provider of texts (docs/notices.md)")
        if not 0 < len(self.crew_system) <= _LONGEST_SYSTEM or "((" in self.crew_system:
            wrong.append(f"CREW_SYSTEM: 1 to {_LONGEST_SYSTEM} characters, without a placeholder")
        if self.voice_trunk and not (self.ari_url and (self.voice_dir or self.prompts_audio_dir)):
            wrong.append("VOICE_TRUNK: needs ARI_URL, and VOICE_DIR or PROMPTS_AUDIO_DIR")
        if self.voice_trunk and not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", self.voice_trunk):
            wrong.append("VOICE_TRUNK: the name of an endpoint, such as provider-north")
        if self.voice_caller and not re.fullmatch(r"\+[1-9][0-9]{9,14}", self.voice_caller):
            wrong.append("VOICE_CALLER: a number with its country, such as +442079460999")
        addresses = [("GOVUK_NOTIFY_URL", self.govuk_notify_url), ("TWILIO_API_URL", self.twilio_api_url)]
        addresses += [("ALERTMANAGER_URL", each) for each in alertmanager_urls(self.alertmanager_url)]
        addresses += [("AUDIT_HEADS_URL", self.audit_heads_url)] if self.audit_heads_url else []
        wrong += [f"{key}: must begin with https://" for key, url in addresses if not is_safe(url)]
        return wrong

    def _wrong_of_auditor(self) -> list[str]:
        wrong: list[str] = []
        if self.auditor_url is not None and not self.auditor_url.startswith(("http://", "https://")):
            wrong.append("AUDITOR_URL: must begin with http:// or https://")
        if self.auditor_url is not None and self.webhook_secret is None:
            wrong.append("WEBHOOK_SECRET: must be set with AUDITOR_URL; it signs what the auditor is told")
        if bool(self.auditor_email) != bool(self.auditor_smtp_host):
            wrong.append("AUDITOR_EMAIL: must be set together with AUDITOR_SMTP_HOST")
        if bool(self.auditor_webhook) != bool(self.auditor_webhook_secret):
            wrong.append("AUDITOR_WEBHOOK: must be set together with AUDITOR_WEBHOOK_SECRET")
        return wrong

    def _wrong_of_sign_in(self) -> list[str]:
        wrong: list[str] = []
        if self.sign_in_is_open and (self.is_production or self.oidc_issuer is not None):
            where = "in production" if self.is_production else "beside OIDC_ISSUER"
            do = "unset it; people sign in through your organisation: set OIDC_ISSUER, OIDC_CLIENT_ID,"
            wrong.append(f"DEVELOPMENT_SIGN_IN: refused {where}: {do} OIDC_CLIENT_SECRET, OIDC_ROLES (docs/sign-in.md)")
        together = {
            "OIDC_ISSUER": self.oidc_issuer,
            "OIDC_CLIENT_ID": self.oidc_client_id,
            "OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "OIDC_ROLES": self.oidc_roles,
        }
        if not any(together.values()):
            return wrong
        wrong += [f"{key}: must be set with the other OIDC_ keys" for key, value in together.items() if not value]
        if self.oidc_issuer and not is_safe(self.oidc_issuer):
            wrong.append("OIDC_ISSUER: must begin with https://")
        if self.oidc_roles:
            try:
                read_role_claims(self.oidc_roles)
            except ValueError as error:
                wrong.append(f"OIDC_ROLES: {error}")
        return wrong


def alertmanager_urls(text: str) -> list[str]:
    """The addresses of a comma separated setting, without a slash at their end."""
    return [each.strip().rstrip("/") for each in text.split(",") if each.strip()]


def load_settings(**overrides: object) -> Settings:
    """The settings in force, checked; raises :class:`ConfigurationError` naming key and cause."""
    file = os.environ.get(FILE_KEY)
    if file and not Path(file).is_file():
        raise ConfigurationError(f"{FILE_KEY}: there is no file {file}")
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = {key for key in os.environ if key.startswith(PREFIX)} - known - _ELSEWHERE
    if unknown:
        raise ConfigurationError(f"unknown setting {', '.join(sorted(unknown))} (see docs/settings.md)")
    try:
        settings = Settings(_env_file=file, **overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"{PREFIX}{key.removeprefix(PREFIX)}: {first['msg']}") from error
    settings.check()
    return settings
