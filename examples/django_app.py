"""All of a small shop in Django. In place of its sign-in: everybody is DEMO_USER.

AUTH_SECRET=$(cat .darkroom/secret) WEBHOOK_SECRET=whsec_… python3 examples/django_app.py runserver 4000
"""
import base64, hashlib, hmac, json, os, sys, time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import django
from django.conf import settings
from django.core.management import execute_from_command_line

API = os.environ.get("API", "http://localhost:3001")
AUTH_SECRET = os.environ["AUTH_SECRET"].encode()
WEBHOOK_KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].replace("whsec_", "", 1))

settings.configure(
    SECRET_KEY=os.environ["AUTH_SECRET"],  # one of your own, in earnest
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "shop.db")}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [os.path.dirname(os.path.abspath(__file__))]}],
)
django.setup()

from django.db import connection, models
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST


class Image(models.Model):
    id = models.CharField(primary_key=True, max_length=26)
    owner = models.CharField(max_length=128, db_index=True)
    rev = models.IntegerField()
    status = models.CharField(max_length=16)

    class Meta:
        app_label = "shop"


def user_of(request):
    return os.environ.get("DEMO_USER", "42")  # str(request.user.pk) of request.user.is_authenticated; else answer 401


def token(owner, scope):
    encode = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")
    claims = {"sub": owner, "scope": scope, "exp": int(time.time()) + 600}
    signed = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return (signed + b"." + encode(hmac.digest(AUTH_SECRET, signed, hashlib.sha256))).decode()


def darkroom(method, route, body=None):
    headers = {"authorization": f"Bearer {token('shop', 'admin')}", "content-type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(API + route, sent, headers, method=method)) as answer:
        return json.load(answer)


@require_GET
@never_cache
def darkroom_token(request):
    return HttpResponse(token(user_of(request), "upload"), content_type="text/plain")


@require_POST
@csrf_exempt  # signed instead
def darkroom_webhook(request):
    if not is_signed(request.headers, request.body):
        return HttpResponse(status=401)
    event = json.loads(request.body)
    data, context = event["data"], event.get("context", {})
    fields = {"rev": data["rev"], "status": data["status"]}
    if data["status"] == "deleted" or "owner" in context:
        fields["owner"] = "" if data["status"] == "deleted" else context["owner"]
    # It may come twice and late: what is not newer changes nothing.
    _, is_new = Image.objects.get_or_create(id=data["id"], defaults=fields)
    if not is_new:
        Image.objects.filter(id=data["id"], rev__lt=data["rev"]).update(**fields)
    return HttpResponse(status=204)


def is_signed(headers, body):
    message_id, timestamp, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    mac = hmac.digest(WEBHOOK_KEY, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(mac)
    return any(hmac.compare_digest(expected, given.encode()) for given in signatures.split(" "))


PAGE = """<!doctype html><title>Pictures</title>
{% for image in images %}{% include "picture.django" with picture=image.picture alt=image.alt %}{% endfor %}
<form method="post" action="/delete-me">{% csrf_token %}<button>Delete me and my pictures</button></form>"""


@require_GET
@never_cache
def pictures(request):
    """What is private comes with URLs that open for an hour."""
    documents = []
    for image in Image.objects.filter(owner=user_of(request), status="ready"):
        try:
            documents.append(darkroom("GET", f"/images/{image.id}"))
        except HTTPError as error:
            if error.code != 410:  # deleted a moment ago
                raise
    return HttpResponse(engines["django"].from_string(PAGE).render({"images": documents}, request))


@require_POST
def delete_me(request):
    # End the user's sessions first: no more tokens. Webhooks tell of each image when it is gone.
    darkroom("POST", "/admin/reprocess", {"action": "delete", "select": {"owner": user_of(request)}})
    return redirect("/")


urlpatterns = [
    path("", pictures),
    path("darkroom-token", darkroom_token),
    path("darkroom-webhook", darkroom_webhook),
    path("delete-me", delete_me),
]

if __name__ == "__main__":
    if Image._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as schema:  # a migration, in a project
            schema.create_model(Image)
    execute_from_command_line([*sys.argv, "--noreload"])
