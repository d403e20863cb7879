"""The keys and secrets of the settings, or a development set-up's own."""

from __future__ import annotations

from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from infra.crypto import KeyRing
from infra.keys import EnvironmentKeys, KeyFile, KeyProvider
from infra.secrets_file import load_or_create_secret


def key_ring(settings: Settings) -> KeyRing:
    """The keys of the settings, or a development set-up's own."""
    name, provider = _key_provider(settings)
    try:
        return provider.read()
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _key_provider(settings: Settings) -> tuple[str, KeyProvider]:
    if settings.keys is not None:
        return "CALLROUTER_KEYS", EnvironmentKeys(settings.keys.get_secret_value())
    if settings.keys_file is not None:
        return "CALLROUTER_KEYS_FILE", KeyFile(settings.keys_file)
    return "the key file in the data folder", KeyFile(settings.data_dir / "keys", create=True)


def session_secret(settings: Settings) -> str:
    """What signs the sign-in cookie."""
    if settings.session_secret is not None:
        return settings.session_secret.get_secret_value()
    return own_secret(settings, "session-secret")


def own_secret(settings: Settings, name: str) -> str:
    """A secret that a development set-up makes for itself, once; raises :class:`ConfigurationError`."""
    settings.make_data_dir()
    try:
        return load_or_create_secret(settings.data_dir / name)
    except OSError as error:
        file = settings.data_dir / name
        raise ConfigurationError(f"{file}: cannot be read or made ({error.strerror}): check its rights") from error
