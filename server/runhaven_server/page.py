"""The small pages that stand in for the dashboard: no sign-in, no bundle."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
_STYLE = """
:root { color-scheme: light dark; --ink: #12212b; --soft: #4a5b66; --paper: #f4f6f6; --card: #fff; --line: #dde4e5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4ebef; --soft: #a9b8c2; --paper: #0c1217; --card: #121a22; --line: #25323c; }
}
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 15px/1.6 Inter, system-ui, sans-serif; }
main { max-width: 34rem; margin: 1rem; padding: 1.5rem 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
h1 { margin: 0 0 .5rem; font-size: 18px; } p { margin: .5rem 0; color: var(--soft); }
pre { margin: .75rem 0; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto;
  font: 13px/1.5 "JetBrains Mono", ui-monospace, monospace; }
"""


def notice(title: str, text: str, *, command: str = "", status: int = 200) -> HTMLResponse:
    """Return a page with a heading, a sentence and a command to type."""
    body = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>" + (f"<pre>{escape(command)}</pre>" if command else "")
    return _respond(title, f"<main>{body}</main>", status=status)


def again() -> HTMLResponse:
    """Return a page that loads its own address once more."""
    return _respond("Runhaven", '<meta http-equiv="refresh" content="0">', status=200)


def _respond(title: str, body: str, *, status: int) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · Runhaven</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _CSP})
