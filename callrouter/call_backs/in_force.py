"""Whether callers can be promised a call back under these settings; light enough for commands that promise none."""

from __future__ import annotations

from callrouter.settings import Settings
from infra.yamlfile import YamlFileError, read_yaml

METRIC = "call_back_late_s"


def call_backs_in_force(settings: Settings) -> bool:
    """Whether an alert rule tells somebody of a call-back that is late: without one, nobody is bound to ring.

    A file of rules that cannot be used promises nothing here; whoever reads the rules themselves says what is wrong.
    """
    try:
        data = read_yaml(settings.alert_rules_file).data
    except YamlFileError:
        return False
    rules = data.get("alerts", []) if isinstance(data, dict) else []
    return any(isinstance(each, dict) and each.get("metric") == METRIC for each in rules)
