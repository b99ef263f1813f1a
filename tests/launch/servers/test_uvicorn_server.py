import pytest
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from orchestrator.launch.plan import LaunchPlan
from orchestrator.launch.servers import load, uvicorn


def test_the_options_are_those_of_the_installed_uvicorn():
    options = load("uvicorn").options()
    assert options["timeout_keep_alive"] == 5
    assert not options.keys() & uvicorn.OWNED.keys()


@pytest.mark.parametrize(("grace", "graceful"), [(20.0, 18.0), (8.0, 6.0), (1.0, 0.75), (0.0, 0.1)])
def test_requests_get_most_of_the_grace(grace, graceful):
    assert uvicorn.settings(LaunchPlan("shop", grace=grace))["timeout_graceful_shutdown"] == graceful


def test_what_the_spec_says_about_grace_counts():
    assert (
        uvicorn.settings(LaunchPlan("shop", options={"timeout_graceful_shutdown": 1}))[
            "timeout_graceful_shutdown"
        ]
        == 1
    )


def test_a_framework_app_is_known_below_uvicorns_own_wrappers():
    assert uvicorn.is_framework_app(ProxyHeadersMiddleware(FastAPI()))
    assert not uvicorn.is_framework_app(lambda scope, receive, send: None)
