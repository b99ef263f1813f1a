import pytest

from orchestrator.requirements._import_names import may_bring


@pytest.mark.parametrize(("distribution", "module"), [
    ("fastapi", "fastapi.routing"), ("PyYAML", "yaml"), ("Pillow", "PIL"), ("python-dotenv", "dotenv"),
    ("psycopg2-binary", "psycopg2"), ("scikit-learn", "sklearn.svm"), ("typing-extensions", "typing_extensions"),
])  # fmt: skip
def test_a_distribution_may_bring_a_module(distribution, module):
    assert may_bring(distribution, module)


@pytest.mark.parametrize(("distribution", "module"), [("yaml-tools", "yaml"), ("redis", "rediscluster")])
def test_a_distribution_of_another_name_does_not(distribution, module):
    assert not may_bring(distribution, module)
