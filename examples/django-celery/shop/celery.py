"""Celery, and the sign of life of its worker: a file that is touched whenever the broker took a heartbeat."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@heartbeat_sent.connect
def beat(**_: Any) -> None:
    sign_of_life()


def sign_of_life() -> None:
    if path := os.environ.get("HEARTBEAT"):
        Path(path).touch()
