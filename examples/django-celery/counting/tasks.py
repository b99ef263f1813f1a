from celery import shared_task

from counting.models import Text


@shared_task
def count(number: int) -> None:
    for text in Text.objects.filter(pk=number, words=None):
        Text.objects.filter(pk=number).update(words=len(text.content.split()))


@shared_task
def count_what_was_left() -> None:
    """Texts that came while nobody took jobs."""
    for number in Text.objects.filter(words=None).values_list("pk", flat=True):
        count(number)
