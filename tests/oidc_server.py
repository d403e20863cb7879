"""The process of :mod:`tests.oidc_provider`: port, then users as JSON. Its pages ask no other host for their style."""

from __future__ import annotations

import json
import os
import sys

import uvicorn
from jinja2 import ChoiceLoader, DictLoader
from oidc_provider_mock import User, app

BARE = '<!doctype html><html lang="en"><title>Provider</title><main>{% block content %}{% endblock %}</main></html>'

if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # loopback
    known = [json.loads(each) for each in sys.argv[2:]]
    users = [User(sub=each.pop("sub"), claims=each) for each in known]
    provider = app(require_nonce=True, user_claims=users)
    provider.jinja_loader = ChoiceLoader([DictLoader({"_base.html": BARE}), provider.jinja_loader])
    uvicorn.run(provider, interface="wsgi", port=int(sys.argv[1]), log_level="warning")
