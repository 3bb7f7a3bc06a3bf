import base64, hashlib, hmac, json, time
import jwt  # PyJWT
from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST


@require_GET
@never_cache
def darkroom_token(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    claims = {"sub": str(request.user.pk), "scope": "upload", "exp": int(time.time()) + 600}
    token = jwt.encode(claims, settings.AUTH_SECRET, algorithm="HS256")
    return HttpResponse(token, content_type="text/plain")


@require_POST
@csrf_exempt  # signed instead
def darkroom_webhook(request):
    if not is_signed(request.headers, request.body):
        return HttpResponse(status=401)
    data = json.loads(request.body)["data"]
    # data["id"] is now data["status"]; it may come twice and late: pass over a data["rev"] that is not greater
    return HttpResponse(status=204)


def is_signed(headers, body):
    message_id, timestamp, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(settings.WEBHOOK_SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(mac)
    return any(hmac.compare_digest(expected, given.encode()) for given in signatures.split(" "))
