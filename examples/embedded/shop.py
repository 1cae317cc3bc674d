"""A Django project in a file, and Restante around it: `uvicorn shop:app --port 8600`."""

import os
import time

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from restante import Restante

SECONDS_OF_WORK = float(os.environ.get("SECONDS_OF_WORK", "3"))

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"], SECRET_KEY="an example's, and no secret"
)
django.setup()


def order(request: HttpRequest) -> JsonResponse:
    time.sleep(SECONDS_OF_WORK)
    return JsonResponse({"order": request.GET.get("number"), "status": "packed"})


urlpatterns = [path("orders", order)]

app = Restante(get_asgi_application(), store="sqlite:///shop.db")
