"""Who asks: tokens that change, users, .netrc, tenants; files that are none; secrets that stay where they are."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.connecting import PLAIN, answer_of, asked, authorizations, basic, file
from tests.connecting import nothing_from_outside as nothing_from_outside
from tests.unruly import NOT_FOUND, Exchange, always, at_first, good, unruly
from traceviz.asking.access import Access
from traceviz.asking.connection import Connection
from traceviz.asking.refusals import status_failure
from traceviz.demo.answers import Answer
from traceviz.errors import UsageError

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def test_the_token_in_a_file_is_sent(tmp_path: Path) -> None:
    with unruly(good) as server:
        assert asked(Access(server.url, bearer_token_file=file(tmp_path, "token", "\ufeffabc.def-1\r\n"))).status == 200
        assert authorizations(server) == ["Bearer abc.def-1"]


def test_a_token_that_changes_is_read_again_also_behind_a_link_as_in_a_pod(tmp_path: Path) -> None:
    first, second = file(tmp_path, "1", "first1"), file(tmp_path, "2", "second")
    link = tmp_path / "token"
    link.symlink_to(first)
    with unruly(good) as server, Connection(Access(server.url, bearer_token_file=link)) as connection:
        answer_of(connection)
        file(tmp_path, "new", "").unlink()
        (tmp_path / "new").symlink_to(second)
        (tmp_path / "new").replace(link)
        answer_of(connection)
        second.write_text("third")
        os.utime(second, ns=(1, 1))
        answer_of(connection)
        assert authorizations(server) == ["Bearer first1", "Bearer second", "Bearer third"]


def test_a_token_that_is_gone_for_a_moment_stays_in_use(tmp_path: Path) -> None:
    path = file(tmp_path, "token", "the-token")
    with unruly(good) as server, Connection(Access(server.url, bearer_token_file=path)) as connection:
        answer_of(connection)
        path.write_text("")
        answer_of(connection)
        path.unlink()
        answer_of(connection)
        assert authorizations(server) == ["Bearer the-token"] * 3


def test_a_token_that_is_refused_is_read_again_and_tried_once_more(tmp_path: Path) -> None:
    path = file(tmp_path, "token", "expired")

    def rotating(exchange: Exchange) -> None:
        if exchange.handler.headers["Authorization"] != "Bearer renewed":
            status = path.stat()
            path.write_text("renewed")  # as long as the one before, and with its time
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            return exchange.send(Answer(401, PLAIN, b"expired"))
        return good(exchange)

    with unruly(rotating) as server:
        assert asked(Access(server.url, bearer_token_file=path)).status == 200
        assert authorizations(server) == ["Bearer expired", "Bearer renewed"]


def test_threads_whose_token_is_refused_at_once_all_get_the_new_one(tmp_path: Path) -> None:
    path = file(tmp_path, "token", "expired")
    all_here, written = threading.Barrier(4), threading.Event()

    def rotating(exchange: Exchange) -> None:
        if exchange.handler.headers["Authorization"] == "Bearer expired":
            if all_here.wait(10) == 0:
                file(tmp_path, "new", "renewed").replace(path)
                written.set()
            written.wait(10)
            return exchange.send(Answer(401, PLAIN, b"expired"))
        return good(exchange)

    with (
        unruly(rotating) as server,
        Connection(Access(server.url, bearer_token_file=path)) as connection,
        ThreadPoolExecutor(4) as pool,
    ):
        assert [answer.status for answer in pool.map(answer_of, [connection] * 4)] == [200] * 4


def test_a_token_that_stays_refused_is_not_tried_again_and_its_file_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, "token", "s3cret-s3cret")
    with unruly(always(Answer(401, PLAIN, b"no s3cret-s3cret"), {"WWW-Authenticate": "Bearer"})) as server:
        failure = status_failure(asked(Access(server.url, bearer_token_file=path)))
    assert len(server.asked) == 1
    assert f"does not accept the token of --bearer-token-file {path}" in failure.remedy
    assert "s3cret" not in str(failure) + failure.remedy


def test_user_and_password_come_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    path = file(tmp_path, "login", "Jürgen:pass:wörd\nolder:one\n")
    with unruly(good) as server:
        asked(Access(server.url, basic_auth_file=path))
        assert authorizations(server) == [basic("Jürgen:pass:wörd")]


def netrc(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(folder, "netrc", "machine 127.0.0.1 login me password netrc-s3cret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


def test_netrc_is_used_where_nothing_else_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, monkeypatch)
    with unruly(good) as server:
        asked(Access(server.url))
        assert authorizations(server) == [basic("me:netrc-s3cret")]


def test_whatever_is_given_goes_before_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, monkeypatch)
    with unruly(good) as server:
        asked(Access(server.url, {"authorization": "Custom mine"}))
        asked(Access(server.url, bearer_token_file=file(tmp_path, "token", "mine")))
        asked(Access(server.url, basic_auth_file=file(tmp_path, "login", "a:b")))
        asked(Access(server.url.replace("//", "//c:d@")))
        assert authorizations(server) == ["Custom mine", "Bearer mine", basic("a:b"), basic("c:d")]


def test_what_netrc_holds_is_not_repeated_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc(tmp_path, monkeypatch)
    said = f"no {basic('me:netrc-s3cret')} netrc-s3cret".encode()
    with unruly(always(Answer(401, PLAIN, said))) as server:
        failure = status_failure(asked(Access(server.url)))
    assert str(failure).endswith(": no Basic … …")


def test_the_tenant_is_sent_in_its_header() -> None:
    with unruly(good) as server:
        asked(Access(server.url, {"X-More": "1"}, tenant="acme"))
        asked(Access(server.url, tenant="acme", tenant_header="X-Scope-OrgID"))
        assert server.headers[0]["x-tenant"] == "acme"
        assert server.headers[0]["X-More"] == "1"
        assert server.headers[1]["X-Scope-OrgID"] == "acme"


def test_no_redirect_is_followed_so_that_no_stranger_sees_a_secret(tmp_path: Path) -> None:
    with unruly(good) as stranger:
        moved = always(Answer(302, PLAIN, b""), {"Location": f"{stranger.url}/login"})
        with unruly(moved) as server:
            asked(Access(server.url, {"X-Key": "k"}, bearer_token_file=file(tmp_path, "token", "t")))
        assert stranger.asked == []


def test_cookies_of_a_server_are_not_kept_and_a_cookie_given_is_sent_as_it_is() -> None:
    sets = at_first(always(NOT_FOUND, {"Set-Cookie": "session=theirs; Path=/"}))
    with unruly(sets) as server, Connection(Access(server.url, {"Cookie": "session=mine"})) as connection:
        answer_of(connection)
        answer_of(connection)
        assert [headers.get("Cookie") for headers in server.headers] == ["session=mine"] * 2
    with unruly(sets) as server, Connection(Access(server.url)) as connection:
        answer_of(connection)
        answer_of(connection)
        assert [headers.get("Cookie") for headers in server.headers] == [None] * 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"s3cret\ns3cret", "holds more than a token"),
        (b"Bearer s3cret", "holds more than a token"),
        (b"s3cret\x00", "is no text file"),
        (b"\xff\xfes3cret", "is no text file"),
        (b"s3cret" * 20_000, "is no text file"),
    ],
)
def test_a_token_file_that_is_none_is_named_and_never_quoted(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "token" if content is None else file(tmp_path, "token", content)
    with pytest.raises(UsageError, match=said) as caught:
        Connection(Access("http://h", bearer_token_file=path))
    assert str(path) in str(caught.value)
    assert "--bearer-token-file" in str(caught.value)
    assert "s3cret" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"\n", "is empty"),
        (b"s3cret", "holds no colon"),
        (b"s3cret:\x1b[2J", "is no text file"),
    ],
)
def test_a_login_file_that_is_none_is_named_and_never_quoted(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "login" if content is None else file(tmp_path, "login", content)
    with pytest.raises(UsageError, match=said) as caught:
        Connection(Access("http://h", basic_auth_file=path))
    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize("secret", ["eyJhbGciOi.eyJzdWIi.c2ln", "sha256~abcdef", "me:s3cret", "a" * 40])
def test_a_secret_given_in_the_place_of_a_files_name_is_not_repeated(secret: str) -> None:
    for access in (Access(bearer_token_file=Path(secret)), Access(basic_auth_file=Path(secret))):
        with pytest.raises(UsageError, match="looks like the secret itself") as caught:
            Connection(access)
        assert secret not in str(caught.value) + caught.value.remedy


def test_a_folder_is_no_file_of_a_token(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        Connection(Access(bearer_token_file=tmp_path))


def test_a_netrc_that_is_broken_is_warned_of_and_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NETRC", str(file(tmp_path, "netrc", "machine h login me\npasword s3cret\n")))
    with unruly(good) as server:
        assert asked(Access(server.url)).status == 200
        assert authorizations(server) == [None]
    assert [f"{tmp_path}/netrc is not understood" in record.getMessage() for record in caplog.records] == [True]
    assert "s3cret" not in caplog.text
