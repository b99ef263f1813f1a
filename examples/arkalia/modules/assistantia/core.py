"""Answers questions about the figures by the words in them, and keeps a log of what was asked."""

import json
from pathlib import Path

LOG = Path("modules/assistantia/logs/questions.jsonl")
WORDS = {
    "load": ("load", "busy", "slow", "cpu"),
    "disk": ("disk", "space", "full", "storage"),
}


def answer(question, figures):
    """A sentence about each figure that the question touches."""
    asked = question.lower()
    topics = [topic for topic, words in WORDS.items() if any(word in asked for word in words)]
    said = [f"{topic} is at {figures[topic]:.0%}" for topic in topics]
    with LOG.open("a") as log:
        log.write(json.dumps({"question": question, "topics": topics}) + "\n")
    return "; ".join(said) or "I can only speak about load and disk"
