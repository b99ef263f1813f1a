import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

NO = 3


class Command(BaseCommand):
    help = "Ends with 0 if there is a superuser, with 3 if there is none."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        there = get_user_model().objects.filter(is_superuser=True).exists()
        sys.exit(0 if there else NO)
