"""Headers of every answer: content security policy, caching, the request's number (``trust.md`` C4, A10)."""

from flask import Flask, Response, g, request
from flask_talisman import Talisman

from labhub.config import Config
from labhub.web.auth import current_actor

POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}
"""``data:`` pictures are those of Bootstrap's stylesheet (``docs/decisions/0004-htmx.md``)."""


def init_headers(app: Flask, config: Config) -> None:
    """Set the headers on every answer, refusals too."""
    secure = config.base_url.startswith("https://")
    app.after_request(_own_policy)  # runs after Talisman's, because it is registered before
    Talisman(
        app,
        force_https=False,
        content_security_policy=POLICY,
        content_security_policy_nonce_in=[],
        frame_options="DENY",
        referrer_policy="strict-origin-when-cross-origin",
        strict_transport_security=secure,
        strict_transport_security_max_age=31_536_000,
        session_cookie_secure=True,
        session_cookie_samesite="Lax",
        permissions_policy={"geolocation": "()", "camera": "()", "microphone": "()", "browsing-topics": "()"},
    )
    app.after_request(_finish)


def _own_policy(response: Response) -> Response:
    """Give a download its own, closed policy (``web/downloads.py`` sets it)."""
    policy = g.get("content_security_policy")
    if policy is not None:
        response.headers["Content-Security-Policy"] = policy
    return response


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response
    anonymous = current_actor().user_id is None
    if not anonymous or response.status_code >= 400:
        response.headers["Cache-Control"] = "no-store"
        return response
    if "Set-Cookie" in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif request.method in ("GET", "HEAD") and response.status_code == 200:
        response.headers.setdefault("Cache-Control", "no-cache")
        response.vary.add("Accept-Language")
        response.vary.add("Authorization")
        response.vary.add("Cookie")
        if not response.is_streamed and not response.direct_passthrough:
            response.add_etag()
            response.make_conditional(request)
    return response
