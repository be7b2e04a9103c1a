"""Takes secrets out of everything that is kept beside the user's own values: argv, config, environment, diff, console.

Three things give a secret away: the name before it (`password=`, `--api-key`), its own shape (`ghp_...`, a JWT), and its
place (the userinfo of a URL, an Authorization header). What looks like none of these stays untouched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

MASK = "***"

# Words of machine learning that hold "token" or "key" and are no secrets.
_INNOCENT = re.compile(
    r"token(?:iz|s\b|_?(?:type|id|count|len|size|limit|budget|embed|classif|drop|mix|merg|per|level|loss|accur|prob|rate|ratio|dim|num|pos|pad|shift|weight|choice))"
    r"|(?:max|min|num|n|pad|eos|bos|cls|sep|unk|mask|bos|special|image|text|prompt|new|seq|per|total|stop|start|end|next|by|add|extra|input|output|class|audio|video|visual|patch)_?tokens?"
    r"|(?:num|n|kv|query|val(?:ue)?|primary|foreign|public|sort|dict|config|metric|batch|state|mask|index|data|cache|head|hidden)_?keys?"
    r"|key_?(?:dim|size|padding|mask|proj|names?|points?|frames?|heads?|board|word)|author|authent?ic(?!ation)|authority|cookiecutter|secretary",
    re.IGNORECASE,
)
_NAMES = (
    r"pass(?:word|wd|phrase|code)|\bpwd\b|secret|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|account[_-]?key|"
    r"license[_-]?key|shared[_-]?key|storage[_-]?key|service[_-]?key|auth(?:orization)?|token|credential|cookie|session[_-]?(?:key|id)|"
    r"connection[_-]?string|dsn|bearer|webhook|salt|otp|pin[_-]?code"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)

# Shapes that the issuers of keys document for them.
_SHAPES = (
    r"hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}",  # Hugging Face
    r"sk-(?:ant-|proj-|svcacct-|or-v1-|lf-)?[A-Za-z0-9_-]{20,}|pk-lf-[A-Za-z0-9-]{20,}",  # OpenAI, Anthropic, OpenRouter, Langfuse
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",  # GitHub
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-[A-Za-z0-9_-]{16,}",  # GitLab
    r"\b(?:AKIA|ASIA|AGPA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b",  # AWS
    r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{20,}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}",  # Slack
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[0-9a-f]{32}\b|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}",  # SendGrid, Mailgun, Resend
    r"npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|rubygems_[0-9a-f]{40,}|cio[A-Za-z0-9]{32}\b",  # registries
    r"do[opr]_v1_[0-9a-f]{40,}|dapi[0-9a-f]{32}(?:-\d)?|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{30,}",  # DigitalOcean, Databricks, Doppler
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{20,}|sq0[a-z]{3}-[A-Za-z0-9_-]{20,}|EAAA[A-Za-z0-9_-]{40,}",  # Stripe, Square
    r"\b(?:AC|SK)[0-9a-f]{32}\b|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Twilio, Shopify, Postman
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON web tokens
    r"gsk_[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{30,}|nvapi-[A-Za-z0-9_-]{30,}|xai-[A-Za-z0-9]{40,}|pplx-[A-Za-z0-9]{40,}|fw_[A-Za-z0-9]{20,}",  # model services
    r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}|secret_[A-Za-z0-9]{40,}|ntn_[A-Za-z0-9]{40,}|figd_[A-Za-z0-9_-]{30,}|ATATT3[A-Za-z0-9_=-]{40,}",  # Linear, Notion, Figma, Atlassian
    r"hv[sbr]\.[A-Za-z0-9_-]{20,}|NRAK-[A-Z0-9]{20,}|glsa_[A-Za-z0-9]{30,}_[0-9a-f]{8}|glc_[A-Za-z0-9+/=]{30,}|sntrys_[A-Za-z0-9+/=_-]{20,}|phc_[A-Za-z0-9]{30,}",  # Vault, New Relic, Grafana, Sentry, PostHog
    r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}|pul-[0-9a-f]{40}|tskey-[a-z]+-[A-Za-z0-9-]{16,}|HRKU-[A-Za-z0-9_-]{30,}|vercel_[A-Za-z0-9]{20,}|sbp_[0-9a-f]{40}|wandb_v1_[A-Za-z0-9_]{20,}|local-[0-9a-f]{40}",  # others
    r"https://hooks\.slack\.com/(?:services|workflows)/[^\s\"']+|https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/[^\s\"']+|https://[\w.-]+\.webhook\.office\.com/[^\s\"']+",
    r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,}",  # Telegram
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
)
_SHAPE = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_SHAPES)})")
_PLACES: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host and scheme://token@host
    (re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^\s/@\"'<>]+@"), rf"\1{MASK}@"),
    # ?token=..., &X-Amz-Signature=...
    (
        re.compile(
            r"([?&;](?:[\w.-]*(?:token|secret|password|passwd|signature|credential|api_?key|access_?key|auth|session)[\w.-]*|sig|key|code|pwd))=[^&\s\"'#;]+",
            re.IGNORECASE,
        ),
        rf"\1={MASK}",
    ),
    (re.compile(r"(\b(?:bearer|basic|digest|negotiate))[ \t]+[A-Za-z0-9+/_.~=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    # name = value, "name": "value", --name value, in any of the ways that files and shells write it
    (
        re.compile(
            rf"((?:{_NAMES})[\w.-]*[\"']?\]?\s{{0,8}}(?:=>|:=|[:=])\s{{0,8}})(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[^\s,;\"'(){{}}\[\]&|<>]+)",
            re.IGNORECASE,
        ),
        "name",
    ),
    (
        re.compile(
            rf"(?<![\w])(--?[\w.-]{{0,40}}?(?:{_NAMES})[\w.-]*[ \t]{{1,8}})(\"[^\"\n]*\"|'[^'\n]*'|[^\s-][^\s]*)",
            re.IGNORECASE,
        ),
        "name",
    ),
    (re.compile(r"(\bmachine\s+\S+\s+login\s+\S+\s+password\s+)(\S+)"), rf"\1{MASK}"),
)
# One quick look tells most lines from those that need the patterns above.
_SUSPECT = re.compile(
    r"://|_|-----|bearer|basic|digest|negotiate|auth|pass|pwd|secret|token|key|credential|cookie|session|dsn|webhook|salt|otp|code|"
    r"sk-|pk-|eyJ|AKIA|ASIA|A[GRIN]PA|AROA|ANVA|ABIA|ACCA|AIza|ya29|GOCSPX|1//0|xox|xapp|SG\.|dapi|dp\.|sq0|EAAA|\bAC|\bSK|PMAK|nvapi|xai-|pplx|"
    r"hv[sbr]\.|NRAK|gl[a-z]+-|npm|pypi|cio|pul-|tskey|HRKU|ATATT|local-|:AA|AGE-",
    re.IGNORECASE,
)
_PASSWORD_NAME = re.compile(r"pass(?:word|wd)|pin_?code", re.IGNORECASE)
_NAME_BEFORE = re.compile(r"[\w.-]+\Z")
_LONGEST_PREFIX = 64
_LONGEST_PART = 8 << 10
_LONGEST_KEY = 32 << 10
_NUMBER = re.compile(r"[\"']?[-+]?(?:\d[\d_]*\.?\d*(?:e[-+]?\d+)?|true|false|none|null|nan|inf)[\"']?$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tell whether the value behind a name is likely to be a secret."""
    return _SECRET_NAME.search(_INNOCENT.sub("", name)) is not None


def redact_text(text: str) -> str:
    """Return the text with each secret replaced by `***`."""
    if _SUSPECT.search(text) is None:
        return text
    return "".join(_redact_part(part) for part in _split(text))


def _redact_part(text: str) -> str:
    text = _SHAPE.sub(MASK, text)
    for pattern, replacement in _PLACES:
        text = pattern.sub(_redact_named if replacement == "name" else replacement, text)
    return text


def _split(text: str) -> list[str]:
    """Cut a long text between lines, never within a private key, so that no other thread waits long for this one."""
    if len(text) <= _LONGEST_PART:
        return [text]
    parts: list[str] = []
    part: list[str] = []
    size, is_in_key = 0, False
    for line in text.splitlines(keepends=True):
        part.append(line)
        size += len(line)
        is_in_key = ("PRIVATE KEY" in line and "BEGIN" in line) or (is_in_key and "PRIVATE KEY" not in line)
        if size > _LONGEST_PART and (not is_in_key or size > _LONGEST_KEY):
            parts.append("".join(part))
            part, size = [], 0
    return [*parts, "".join(part)]


def _redact_named(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    start = match.start()
    before = _NAME_BEFORE.search(match.string, max(0, start - _LONGEST_PREFIX), start)
    whole = (before[0] if before else "") + name
    is_number = _NUMBER.match(value) is not None and not _PASSWORD_NAME.search(whole)
    if is_number or value.startswith(MASK) or not is_secret_name(whole):
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{quote}{MASK}{quote}"


def redact_value(value: Any, *, key: str = "") -> Any:
    """Return a copy of a tree of dicts and lists without its secrets.

    A scalar under a secret-looking key is masked whole, unless it is a bool or None; other strings as `redact_text` does.
    """
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return {name: redact_value(item, key=str(name)) for name, item in tree.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item, key=key) for item in cast("Sequence[Any]", value)]
    if isinstance(value, str):
        return MASK if value and key and is_secret_name(key) and not _NUMBER.match(value) else redact_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and key and _PASSWORD_NAME.search(key):
        return MASK
    return value


def redact_argv(argv: Sequence[str]) -> list[str]:
    """Return a command line without its secrets, also where name and secret are two arguments."""
    found: list[str] = []
    is_expected = False
    for argument in argv:
        if is_expected and not argument.startswith("-"):
            found.append(MASK)
            is_expected = False
            continue
        is_expected = argument.startswith("-") and "=" not in argument and is_secret_name(argument)
        found.append(redact_text(argument))
    return found
