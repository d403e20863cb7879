"""Settings with which callers would be lost are refused at start; signatures; forms."""

from __future__ import annotations

import pytest

from adapters.twilio.forms import caller, dialled, keys_pressed, seconds, words_said
from adapters.twilio.settings import DEMO_FALLBACK, TwilioSettings
from adapters.twilio.signature import Form, Signatures
from callrouter.errors import ConfigurationError
from infra.numbers import NumberClass


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({"public_url": "http://calls.example"}, "CALLROUTER_PUBLIC_URL"),
        ({"public_url": "https://calls.example/twilio"}, "CALLROUTER_PUBLIC_URL"),
        ({"public_url": "https://calls.example?x=1"}, "CALLROUTER_PUBLIC_URL"),
        ({"public_url": "https://user:secret@calls.example"}, "CALLROUTER_PUBLIC_URL"),
        ({"public_url": "calls.example"}, "CALLROUTER_PUBLIC_URL"),
        ({"public_url": ""}, "CALLROUTER_PUBLIC_URL"),
        ({"auth_tokens": ()}, "TWILIO_AUTH_TOKENS"),
        ({"auth_tokens": ("a", "")}, "TWILIO_AUTH_TOKENS"),
        ({"fallback_number": ""}, "FALLBACK_NUMBER"),
        ({"fallback_number": "111"}, "FALLBACK_NUMBER"),
        ({"fallback_number": "020 7946 0199"}, "FALLBACK_NUMBER"),
    ],
)
def test_settings_that_would_lose_callers_are_refused_by_name(about: dict[str, object], named: str) -> None:
    good = {"public_url": "https://calls.example", "auth_tokens": ("t",), "fallback_number": "+442079460199"}
    with pytest.raises(ConfigurationError, match=named):
        TwilioSettings(**{**good, **about}, production=True)  # type: ignore[arg-type]


def test_a_laptop_needs_no_tls_and_has_a_fictional_fallback() -> None:
    settings = TwilioSettings(public_url="http://127.0.0.1:8111/", auth_tokens=("secret-token",))
    assert (settings.base, settings.fallback) == ("http://127.0.0.1:8111", DEMO_FALLBACK)
    assert "secret-token" not in repr(settings)


def test_twilios_own_example_of_a_signature() -> None:
    """The worked example of Twilio's security page: URL, form and token give this signature."""
    form = Form(
        [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ]
    )
    checks = Signatures("https://example.com", ["other", "12345"])
    signature = "L/OH5YylLD5NRKLltdqwSvS0BnU="
    assert checks.are_valid(b"/myapp.php", b"foo=1&bar=2", form, signature) is True
    assert checks.are_valid(b"/myapp.php", b"foo=1&bar=3", form, signature) is False
    assert checks.are_valid(b"/myapp.php", b"foo=1&bar=2", form, "") is False


@pytest.mark.parametrize(
    ("raw", "kind", "e164"),
    [
        ("+447700900123", NumberClass.PRESENT, "+447700900123"),
        ("sip:+447700900123@sbc.example;user=phone", NumberClass.PRESENT, "+447700900123"),
        ("client:alice", NumberClass.UNREADABLE, None),
        ("+266696687", NumberClass.WITHHELD, None),
        ("+7378742833", NumberClass.WITHHELD, None),
        ("+86282452253", NumberClass.WITHHELD, None),
        ("+8656696", NumberClass.WITHHELD, None),
        ("+2562533", NumberClass.WITHHELD, None),
        ("anonymous", NumberClass.WITHHELD, None),
        ("+448979123456", NumberClass.CARRIER_FILLER, None),
    ],
)
def test_who_calls(raw: str, kind: NumberClass, e164: str | None) -> None:
    number = caller(Form([("From", raw)]))
    assert (number.kind, number.e164) == (kind, e164)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("+442079460000", "+442079460000"),
        ("18001442079460000", "18001442079460000"),
        ("sip:111@calls.example", "111"),
        ("'; --", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_was_dialled(raw: str, expected: str) -> None:
    assert dialled(Form([("To", raw)])) == expected


def test_keys_words_and_durations_are_read_with_care() -> None:
    form = Form([("Digits", "3<script>"), ("SpeechResult", " toothache " + "x" * 5000), ("DialCallDuration", "-1")])
    assert keys_pressed(form) == "?"
    assert len(words_said(form)) == 2000
    assert seconds(form, "DialCallDuration") == 0
    assert keys_pressed(Form([("Digits", "12*#")])) == "12*#"
    assert words_said(Form([])) == keys_pressed(Form([])) == ""
