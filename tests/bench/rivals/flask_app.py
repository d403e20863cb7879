"""A plain Flask + twilio + SQLAlchemy app that answers Twilio's first webhook as the service does.

With BENCH_REDIS_URL it keeps the call's session there, and gives a retried webhook the stored document.
"""

from __future__ import annotations

import os

from flask import Flask, Response, abort, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse

from callrouter.flows import load_flow, load_prompts
from callrouter.settings import Settings
from tests.bench.rivals.records import Records
from tests.bench.rivals.sessions import Sessions

VOICE = "Polly.Amy-Neural"
LANGUAGE = "en-GB"


def create_app() -> Flask:
    """For gunicorn: ``tests.bench.rivals.flask_app:create_app()``."""
    app = Flask(__name__)
    public_url = os.environ["BENCH_PUBLIC_URL"]
    validator = RequestValidator(os.environ["BENCH_TOKEN"])
    records = Records()
    sessions = Sessions(os.environ["BENCH_REDIS_URL"], records.keys) if "BENCH_REDIS_URL" in os.environ else None
    texts, hints = menu_texts()

    @app.post("/twilio/voice")
    def voice() -> Response:
        signature = request.headers.get("X-Twilio-Signature", "")
        if not validator.validate(public_url + request.path, request.form, signature):
            abort(403)
        call_ref = records.keys.index("twilio-call", request.form["CallSid"])[:32]
        token = request.headers.get("I-Twilio-Idempotency-Token", call_ref)
        document = sessions.document(call_ref, token) if sessions else None
        if document is None:
            call = records.new_call(call_ref, "twilio", request.form["To"], request.form["From"])
            records.commit_new(call)
            action = f"{public_url}/twilio/voice/{call_ref}/1.1/gather#ct=1000&rt=2500&rc=2&rp=all"
            document = _menu(action, texts, hints)
            if sessions:
                sessions.keep(call, request.form["To"], token, document)
        return Response(document, mimetype="text/xml")

    return app


def _menu(action: str, texts: dict[str, str], hints: str) -> str:
    document = VoiceResponse()
    document.say(texts["emergency_999"], voice=VOICE, language=LANGUAGE)
    document.say(texts["recording_notice"], voice=VOICE, language=LANGUAGE)
    gather = document.gather(
        input="dtmf speech", num_digits=1, finish_on_key="", timeout=4, action_on_empty_result="true",
        action=action, method="POST", language=LANGUAGE, speech_timeout="auto", hints=hints,
        profanity_filter="false",
    )  # fmt: skip
    gather.say(texts["main_menu"], voice=VOICE, language=LANGUAGE)
    document.redirect(action, method="POST")
    return str(document)


def menu_texts() -> tuple[dict[str, str], str]:
    """Prompts and hints, from the files that the service reads."""
    settings = Settings()
    words = load_flow(settings.flow_file).vocabulary("main_menu")
    return load_prompts(settings.prompts_file), ",".join(word for each in words.values() for word in each)
