"""The shipped prompts, spoken once on this machine: half a minute of a core that no house of the tests has to spend.

``python -m tests.spoken`` speaks what is new or has other words into the cache, beside Asterisk.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from callrouter.flows import load_prompts
from infra.voices import VoiceMissing, speak_prompts

PROMPTS = Path(__file__).parents[1] / "ivr/prompts/en.yaml"
CACHE = Path(os.environ.get("CALLROUTER_CACHE") or Path.home() / ".cache/callrouter") / "prompts"


def speak_into(folder: Path) -> None:
    """Every shipped prompt. Raises VoiceMissing where nothing can speak."""
    if CACHE.is_dir():
        shutil.copytree(CACHE, folder, dirs_exist_ok=True)
    speak_prompts(load_prompts(PROMPTS), folder)  # those of which the words changed since


if __name__ == "__main__":
    try:
        speak_prompts(load_prompts(PROMPTS), CACHE)
    except VoiceMissing as missing:
        print(missing)
