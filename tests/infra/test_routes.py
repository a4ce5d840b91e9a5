import pytest

from infra.local.routes import NoRoute, OtherMethods, Routes


@pytest.fixture
def routes() -> Routes[str]:
    routes: Routes[str] = Routes()
    routes.add("GET", "/v1/stock/{sku}", "level")
    routes.add("GET", "/v1/stock/{sku}/ledger", "ledger")
    routes.add("PUT", "/v1/stock/{sku}/{location}", "recount")
    routes.add("GET", "/", "home")
    return routes


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/", "home"),
        ("GET", "/v1/stock/MUG", "level"),
        ("HEAD", "/v1/stock/MUG", "level"),
        ("GET", "/v1/stock/MUG/ledger", "ledger"),
        ("PUT", "/v1/stock/MUG/LON", "recount"),
        ("PUT", "/v1/stock/MUG/ledger", "recount"),
    ],
)
def test_a_path_finds_what_serves_it(routes: Routes[str], method: str, path: str, target: str) -> None:
    assert routes.find(method, path) == target


@pytest.mark.parametrize("path", ["/v1", "/v1/stock", "/v1/stock/", "/v1/stock/MUG/", "/v1/stock/MUG/LON/x", ""])
def test_other_paths_find_nothing(routes: Routes[str], path: str) -> None:
    with pytest.raises(NoRoute):
        routes.find("GET", path)


def test_another_method_is_told_which_ones_there_are(routes: Routes[str]) -> None:
    with pytest.raises(OtherMethods) as refused:
        routes.find("DELETE", "/v1/stock/MUG/ledger")
    assert refused.value.allowed == ["GET", "PUT"]


def test_two_functions_cannot_share_a_route(routes: Routes[str]) -> None:
    with pytest.raises(ValueError, match="two functions"):
        routes.add("GET", "/v1/stock/{id}", "another")
