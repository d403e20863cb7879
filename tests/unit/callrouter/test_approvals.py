"""The rules of docs/safety/rules.md, 5, that flows and messages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callrouter import approvals as ap
from callrouter.handover import Role, SignedIn

NOW = datetime(2026, 3, 28, 3, tzinfo=UTC)  # at night: nothing here depends on it
AUTHOR = ap.Author("Ann Smith", "s-ann")
HASH = ap.hash_of({"text": "hello"})


def approval(
    by: str = "Bob", role: Role = Role.COMMISSIONER, session: str = "s-bob", content: str = HASH, days: float = 14
) -> ap.Approval:
    return ap.Approval(by, role, session, content, NOW, NOW + timedelta(days=days))


@pytest.mark.parametrize("name", ["Ann Smith", "ann  smith", " ANN SMITH"])
def test_nobody_approves_what_they_wrote_however_they_spell_their_name(name: str) -> None:
    with pytest.raises(ap.OwnWork):
        ap.require_other(SignedIn(name, Role.CLINICAL_SAFETY, "s-other"), AUTHOR)


def test_another_name_in_the_same_session_is_the_same_person() -> None:
    with pytest.raises(ap.SameSession):
        ap.require_other(SignedIn("Bob", Role.CLINICAL_SAFETY, "s-ann"), AUTHOR)
    ap.require_other(SignedIn("Bob", Role.CLINICAL_SAFETY, "s-bob"), AUTHOR)


def test_the_hash_is_of_the_content_and_not_of_its_order() -> None:
    assert ap.hash_of({"a": 1, "b": [2, "é"]}) == ap.hash_of({"b": [2, "é"], "a": 1})
    assert ap.hash_of({"a": 1}) != ap.hash_of({"a": 2})


@pytest.mark.parametrize(
    ("approvals", "clinical_safety", "refused"),
    [
        ([], False, ap.ApprovalMissing),
        ([], True, ap.SafetyMissing),
        ([approval()], True, ap.SafetyMissing),
        ([approval(content="other")], False, ap.ContentChanged),
        ([approval(days=0)], False, ap.ApprovalExpired),
        ([approval(role=Role.CLINICAL_SAFETY, days=0), approval()], True, ap.SafetyMissing),
        ([approval(by="ann smith")], False, ap.ApprovalMissing),
        ([approval(session="s-ann")], False, ap.ApprovalMissing),
    ],
)
def test_too_little_is_refused_by_name(
    approvals: list[ap.Approval], clinical_safety: bool, refused: type[ap.Refused]
) -> None:
    with pytest.raises(refused):
        ap.require_enough(approvals, author=AUTHOR, content=HASH, at=NOW, clinical_safety=clinical_safety)


def test_one_other_person_is_enough_and_clinical_safety_where_it_is_asked_for() -> None:
    ap.require_enough([approval()], author=AUTHOR, content=HASH, at=NOW, clinical_safety=False)
    both = [approval(content="older"), approval(), approval("Cat", Role.CLINICAL_SAFETY, "s-cat")]
    ap.require_enough(both, author=AUTHOR, content=HASH, at=NOW, clinical_safety=True)


def test_each_refusal_has_its_own_id() -> None:
    ids = [each.error_id for each in ap.Refused.__subclasses__()]
    assert len(set(ids)) == len(ids)


def test_a_missing_role_is_told_with_those_who_may() -> None:
    with pytest.raises(ap.RoleMissing, match="clinical safety, commissioner"):
        ap.require_role(SignedIn("h", Role.HANDLER), {Role.COMMISSIONER, Role.CLINICAL_SAFETY})
