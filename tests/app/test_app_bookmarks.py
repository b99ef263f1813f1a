import pytest


def test_a_bookmark_is_added_read_changed_and_removed(client):
    added = client.post(
        "/bookmarks", json={"url": "https://example.org", "title": "  Example ", "tags": ["One"]}
    )
    assert added.status_code == 201
    bookmark = added.json()
    assert (bookmark["url"], bookmark["title"], bookmark["tags"]) == (
        "https://example.org/",
        "Example",
        ["one"],
    )

    address = added.headers["location"]
    assert client.get(address).json() == bookmark

    changed = client.patch(address, json={"notes": "read it"}).json()
    assert changed == bookmark | {"notes": "read it", "changed_at": changed["changed_at"]}
    assert client.get(address).json() == changed

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"title": "no url"},
        {"url": "https://example.org"},
        {"url": "not a url", "title": "x"},
        {"url": "javascript:alert(1)", "title": "x"},
        {"url": "https://example.org", "title": "   "},
        {"url": "https://example.org", "title": "x" * 201},
        {"url": "https://example.org", "title": "x", "tags": ["two words"]},
        {"url": "https://example.org", "title": "x", "tagz": []},
    ],
)
def test_what_is_not_a_bookmark_is_refused(client, body):
    assert client.post("/bookmarks", json=body).status_code == 422
    assert client.get("/bookmarks").json()["total"] == 0


@pytest.mark.parametrize("fields", [{"title": None}, {"url": ""}, {"id": 7}, {"tags": [""]}])
def test_a_change_is_checked_like_a_new_bookmark(client, add, fields):
    number = add("page")["id"]
    assert client.patch(f"/bookmarks/{number}", json=fields).status_code == 422


def test_a_url_is_kept_once(client, add):
    add("first")
    second = add("second")
    again = client.post("/bookmarks", json={"url": "https://example.org/first", "title": "again"})
    moved = client.patch(f"/bookmarks/{second['id']}", json={"url": "https://example.org/first"})
    for answer in (again, moved):
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/bookmarks/{second['id']}").json() == second


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_bookmark_that_is_not_there_is_a_problem_that_says_so(client, method):
    answer = getattr(client, method)("/bookmarks/41")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "bookmark 41" in answer.json()["detail"]


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63)])
def test_an_impossible_number_is_refused_before_the_database_is_asked(client, number):
    assert client.get(f"/bookmarks/{number}").status_code == 422


def test_pages_follow_one_another_newest_first_although_new_bookmarks_come_in(client, add):
    numbers = [add(f"page-{index}")["id"] for index in range(5)]
    seen = []
    address = "/bookmarks?limit=2"
    while address:
        page = client.get(address).json()
        seen += [item["id"] for item in page["items"]]
        address = page["next"]
        add(f"late-{len(seen)}")
    assert seen == numbers[::-1]


def test_the_last_page_has_no_next(client, add):
    add("one")
    add("two")
    page = client.get("/bookmarks?limit=2").json()
    assert (page["total"], page["next"], len(page["items"])) == (2, None, 2)


def test_a_tag_filters_and_stays_in_the_next_address(client, add):
    wanted = [add(f"w-{index}", tags=["wanted", "x"])["id"] for index in range(3)]
    add("other", tags=["unwanted"])
    first = client.get("/bookmarks?tag=Wanted&limit=2").json()
    second = client.get(first["next"]).json()
    assert first["total"] == 3
    assert [item["id"] for item in first["items"] + second["items"]] == wanted[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "before=0", "limit=x"])
def test_a_page_has_limits(client, query):
    assert client.get(f"/bookmarks?{query}").status_code == 422


def test_the_index_names_what_there_is(client):
    links = client.get("/").json()["links"]
    assert client.get(links["bookmarks"]).status_code == 200
    assert client.get(links["documentation"]).status_code == 200


def test_the_description_can_be_made(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/bookmarks", "/bookmarks/{number}", "/search", "/live", "/ready"} <= paths.keys()
