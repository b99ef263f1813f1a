"""Texts are taken at once; their words are counted by the worker, later."""

import json

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods
from kombu.exceptions import OperationalError

from counting.models import Text
from counting.tasks import count


@require_GET
def live(_: HttpRequest) -> JsonResponse:
    """Whether this process can answer; asks no dependency."""
    return JsonResponse({"status": "ok"})


@require_GET
def ready(_: HttpRequest) -> JsonResponse:
    """Whether it can serve: without its database it cannot."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM counting_text LIMIT 1")
    except Error:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_http_methods(["GET", "POST"])
def texts(request: HttpRequest) -> JsonResponse:
    if request.method == "GET":
        return JsonResponse({"texts": [shown(each) for each in Text.objects.order_by("-pk")[:20]]})
    text = Text.objects.create(content=json.loads(request.body)["content"])
    return JsonResponse(shown(text) | {"queued": queue(text)}, status=201)


@require_GET
def one(_: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse(shown(get_object_or_404(Text, pk=number)))


def queue(text: Text) -> bool:
    """Whether the job could be handed over; beat finds those that could not."""
    try:
        count.delay(text.pk)
    except OperationalError:
        return False
    return True


def shown(text: Text) -> dict:
    return {"id": text.pk, "content": text.content, "words": text.words}
