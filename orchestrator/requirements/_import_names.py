"""Which distribution a module that is not there would have come from: what is not installed cannot say it itself."""

from __future__ import annotations

from orchestrator.requirements._installed import normalise

_KNOWN = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "crypto": ("pycryptodome",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "docx": ("python-docx",),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "jwt": ("pyjwt",),
    "mysqldb": ("mysqlclient",),
    "pil": ("pillow",),
    "psycopg2": ("psycopg2-binary",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
}
_AROUND = ("{}", "py{}", "python-{}", "{}-python", "{}-binary")


def may_bring(distribution: str, module: str) -> bool:
    """Whether a distribution is likely to bring a top-level module, by their names."""
    wanted, top = normalise(distribution), normalise(module.partition(".")[0])
    return wanted in _KNOWN.get(top, ()) or wanted in [each.format(top) for each in _AROUND]
