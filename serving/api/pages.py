"""What a browser asks for at the top: the way to the page, an icon, a manifest."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

router = APIRouter(include_in_schema=False)

UI_PATH = "/ui"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#0b6e99"/>'
    '<circle cx="12" cy="16" r="6" fill="#fff"/>'
    '<circle cx="20" cy="16" r="6" fill="none" stroke="#fff" stroke-width="2.4"/></svg>'
)


@router.get("/")
def top() -> RedirectResponse:
    """Lead to the page."""
    return RedirectResponse(f"{UI_PATH}/")


@router.get("/favicon.ico")
@router.get(f"{UI_PATH}/favicon.ico")
def icon() -> Response:
    """Return the icon."""
    return Response(_ICON, media_type="image/svg+xml")


@router.get("/manifest.json")
def manifest() -> dict[str, str]:
    """Return what a browser shows of the page in its list of applications."""
    return {"name": "Trialtwin", "start_url": f"{UI_PATH}/", "theme_color": "#0b6e99"}
