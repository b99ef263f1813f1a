"""Secrets in a spec: what is one, what only looks like one, and that none is ever shown."""

import pytest

from orchestrator.diagnostics.formats import text
from orchestrator.spec import load_text
from orchestrator.spec.values import RunValues

HEAD = "version: 1\nservice: shop\n"


def _environment(key, value):
    return load_text(HEAD + f"steps:\n  - name: a\n    run: [x]\n    environment: {{{key}: {value}}}\n")


def _found(loaded):
    return [(each.code, each.severity) for each in loaded.diagnostics if each.code == "ORC123"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("API_TOKEN", '"${TOKEN}"'), ("API_TOKEN", '"Bearer ${TOKEN}"'), ("TOKEN_URL", "https://auth/9f8e7d6c5b4a3928"),
        ("PASSWORD_FILE", "/run/secrets/password"), ("DB_PASSWORD", "/run/secrets/db"), ("SECRET", "enabled"), ("MODE", "9f8e7d6c5b4a39281706"),
        ("TOKENIZER", "cl100k_base_2023"), ("HOME_URL", "http://user@host/"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_none(key, value):
    assert _found(_environment(key, value)) == []


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("API_TOKEN", "9f8e7d6c5b4a39281706", "warning"), ("DB_PASSWORD", "changeme", "warning"), ("SECRET_KEY", "k3J-99xQ_aa7Zp", "warning"),
        ("DB", "postgresql://shop:s3cr3t-Pa55@db/shop", "error"), ("DB", "postgresql://shop:shop@db/shop", "warning"),
    ],
)  # fmt: skip
def test_a_secret_is_found_and_not_shown(key, value, severity):
    loaded = _environment(key, value)

    assert _found(loaded) == [("ORC123", severity)]
    assert value not in text.render(loaded.diagnostics, loaded.sources)


@pytest.mark.parametrize(
    ("contract", "found"),
    [
        ("{secret: true, default: hunter2}", ["error"]),
        ("{secret: true, default: ''}", []),
        ("{secret: true, default: '${OTHER:-}'}", []),
        ("{secret: true, required: true}", []),
        ("{default: 9f8e7d6c5b4a39281706}", ["warning"]),
        ("{default: disabled}", []),
    ],
)
def test_the_default_of_a_secret(contract, found):
    loaded = load_text(HEAD + f"variables:\n  SECRET_KEY: {contract}\n")

    assert [severity for _, severity in _found(loaded)] == found


@pytest.mark.parametrize(("field", "value", "hint"), [
    ("launch: {app: 'a:b', port: '${KEY}'}", "hunter2", "expected a port number: set it to one"),
    ("wait_for: [{name: a, http: '${KEY}'}]", "http://u:p@hunter2/w@host/", "the URL has an `@` behind its host: "),
    ("wait_for: [{name: a, tcp: '${KEY}'}]", "hunter2", "expected host:port: set it to one"),
    ("launch: {app: '${KEY}'}", "hunter2", "expected `module:attribute`: set it to one"),
    ("launch: {app: 'a:b', restart: '${KEY}'}", "hunter2", "set it to a value of the right type"),
])  # fmt: skip
def test_what_a_secret_should_have_been_is_said_without_it(field, value, hint):
    loaded = load_text(f"version: 1\nservice: shop\nvariables: {{KEY: {{secret: true}}}}\n{field}\n")
    (found,) = loaded.resolve(RunValues(loaded.spec.variables, {"KEY": value}, frozenset())).diagnostics
    assert found.hint.startswith(hint)
    assert "hunter2" not in found.message + found.hint
