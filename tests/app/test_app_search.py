import pytest


def titles(answer):
    assert answer.status_code == 200, answer.text
    return {item["title"] for item in answer.json()}


def test_all_words_must_occur_and_beginnings_count(client, add):
    add("a", title="Reading SQLite", notes="how pages are laid out")
    add("b", title="Reading lists")
    assert titles(client.get("/search", params={"q": "read"})) == {"Reading SQLite", "Reading lists"}
    assert titles(client.get("/search", params={"q": "page READ"})) == {"Reading SQLite"}
    assert titles(client.get("/search", params={"q": "unheard"})) == set()


def test_the_index_follows_changes_and_removals(client, add):
    number = add("a", title="before")["id"]
    client.patch(f"/bookmarks/{number}", json={"title": "after"})
    assert titles(client.get("/search", params={"q": "before"})) == set()
    assert titles(client.get("/search", params={"q": "after"})) == {"after"}
    client.delete(f"/bookmarks/{number}")
    assert titles(client.get("/search", params={"q": "after"})) == set()


@pytest.mark.parametrize(
    "words", ['"', "a OR", "title:", "NEAR(", "*", "a\x00b", "'; DROP TABLE bookmark; --"]
)
def test_nothing_a_visitor_types_is_an_operator(client, add, words):
    add("quiet")
    assert titles(client.get("/search", params={"q": words})) == set()


def test_a_degraded_search_explains_itself_and_the_rest_works(client, add, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search")
    add("page")
    answer = client.get("/search?q=page")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "search is switched off" in answer.json()["detail"]
    assert client.get("/bookmarks").json()["total"] == 1
    assert client.get("/ready").json() == {"status": "ok", "degraded": ["search"]}
