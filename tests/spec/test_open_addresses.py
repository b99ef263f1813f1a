import pytest

from orchestrator.spec import load_text


@pytest.mark.parametrize(
    ("default", "codes"),
    [
        ("redis://localhost:6379/0", set()),
        ("https://example.org/hook?x=1", set()),
        ("redis://:hunter2hunter@localhost:6379/0", {"ORC123"}),
        ("k3y-w1th-s0me-entr0py", {"ORC123"}),
    ],
)
def test_an_address_without_a_password_is_no_secret(default, codes):
    text = f'version: 1\nservice: shop\nvariables:\n  REDIS_URL: {{secret: true, default: "{default}"}}\n'

    assert {each.code for each in load_text(text).diagnostics} == codes
