"""Contexts: the file, what goes before what, and the command that shows it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.commands import SEED, Ended, called
from tests.unruly import WINDOW, good, unruly
from traceviz.config import KEYS, config_path, read_config, use
from traceviz.errors import UsageError

FILE = """\
# mine
current-context = "here"  # for now

[contexts.here]
url = "http://localhost:1/jaeger"
tenant = "acme"
timeout = "5s"

[contexts."there and back"]
url = "https://jaeger.example.com"
ui-url = "https://me:s3cret@jaeger.example.com"
headers = { X-Key = "s3cret-k3y", Accept-Language = "en" }
bearer-token-file = "tokens/there"
ca-cert = "~/ca.pem"
cert = "/etc/cert.pem"
insecure = false
limit = 50
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written = tmp_path / "config.toml"
    written.write_text(FILE)
    monkeypatch.setenv("TRACEVIZ_CONFIG", str(written))
    return written


def config(path: Path, *arguments: str, **env: str) -> Ended:
    return called("config", *arguments, env={"TRACEVIZ_CONFIG": str(path), **env})


def rows(run: Ended) -> dict[str, tuple[str, str]]:
    """key ▸ (value, where it comes from)"""
    assert run.code == 0, run.err
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in run.text.splitlines()]
    return {cell[0]: (cell[1], cell[2]) for cell in cells if len(cell) == 3}


# The file


def test_what_a_context_says_is_read_with_files_beside_the_configuration(path: Path) -> None:
    there = read_config().defaults("there and back")
    assert there["headers"] == [("X-Key", "s3cret-k3y"), ("Accept-Language", "en")]
    assert there["bearer_token_file"] == path.parent / "tokens" / "there"
    assert there["ca_cert"] == Path(os.path.expanduser("~/ca.pem"))
    assert there["cert"] == Path("/etc/cert.pem")
    assert (there["insecure"], there["limit"]) == (False, 50)
    assert read_config().current == "here"


def test_the_file_is_looked_for_where_the_variable_says_then_xdg_then_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TRACEVIZ_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config_path() == tmp_path / ".config" / "traceviz" / "config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_path() == tmp_path / "xdg" / "traceviz" / "config.toml"
    monkeypatch.setenv("TRACEVIZ_CONFIG", "~/mine.toml")
    assert config_path() == tmp_path / "mine.toml"


def test_no_file_is_no_context_and_a_file_that_is_named_and_missing_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACEVIZ_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert (read_config().current, read_config().contexts) == (None, {})
    monkeypatch.setenv("TRACEVIZ_CONFIG", str(tmp_path / "nothing.toml"))
    with pytest.raises(UsageError, match=r"nothing\.toml, which TRACEVIZ_CONFIG names, does not exist"):
        read_config()


#: a file ▸ what is said of it, after its name
BROKEN: dict[str, tuple[str, str]] = {
    "no TOML": ("[contexts.x]\nurl = http://h", "is no TOML: "),
    "twice": ("[contexts.x]\n[contexts.x]\n", "is no TOML: "),
    "an unknown key": ("[contexts.x]\nulr = 's3cret'", "contexts.x.ulr is not known"),
    "a token": ("[contexts.x]\nbearer-token = 's3cret'", "contexts.x.bearer-token is not known"),
    "a password": ("[contexts.x]\npassword = 's3cret'", "contexts.x.password is not known"),
    "a key outside": ("url = 's3cret'", "url is not known"),
    "a number for a text": ("[contexts.x]\ntenant = 42", "contexts.x.tenant is 42, and not a text"),
    "a text for a number": ("[contexts.x]\nlimit = 'many'", "contexts.x.limit is 'many', and not a whole number"),
    "a truth for a number": ("[contexts.x]\nlimit = true", "contexts.x.limit is True, and not a whole number"),
    "nothing": ("[contexts.x]\nparallel = 0", "contexts.x.parallel is 0, and not a whole number from 1 up"),
    "a text for a truth": ("[contexts.x]\ninsecure = 'no'", "contexts.x.insecure is 'no', and not true or false"),
    "no duration": ("[contexts.x]\nsince = 'yesterday'", "contexts.x.since is 'yesterday', and not a duration"),
    "no API": ("[contexts.x]\napi = 'v2'", "contexts.x.api is 'v2', and not one of auto, v3, v1"),
    "a list": ("[contexts.x]\nurl = ['a']", "contexts.x.url is a list, and not a text"),
    "a URL with a password": ("[contexts.x]\nui-url = ''", "contexts.x.ui-url is '', and not a text"),
    "headers in a text": ("[contexts.x]\nheaders = 'a: s3cret'", "contexts.x.headers is a text that is not understood"),
    "headers of numbers": ("[contexts.x]\nheaders = { s3cret = 5 }", "contexts.x.headers is a table that is not"),
    "a header with a blank": ("[contexts.x]\nheaders = { 'a s3cret' = 'x' }", "contexts.x.headers is a table"),
    "a context that is none": ("[contexts]\nx = 's3cret'", "contexts.x is a text, and no table"),
    "contexts that are none": ("contexts = 5", "contexts is a number, and no table"),
    "a current context that is none": ("current-context = 5\n[contexts.x]", "current-context is a number"),
    "a current context that is unknown": ("current-context = 'y'\n[contexts.x]", ""),
    "deep": ("x = " + "[" * 100_000, "is nested too deep"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_wrong_is_told_with_its_name_the_key_and_what_was_expected(tmp_path: Path, name: str) -> None:
    text, said = BROKEN[name]
    path = tmp_path / "c.toml"
    path.write_text(text if "current-context" in text else f"{text}\n")
    context = () if "current-context" in text else ("--context", "x")
    run = config(path, *context)
    assert (run.code, run.out) == (2, b"")
    assert str(path) in run.err
    assert said in run.err
    assert "s3cret" not in run.err


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe")
    assert "is no text in UTF-8" in config(path).err
    assert "Is a directory" in config(tmp_path).err


def test_a_context_that_does_not_exist_gets_a_suggestion(path: Path) -> None:
    run = config(path, "--context", "hree")
    assert run.code == 2
    assert f"there is no context 'hree' in {path}" in run.err
    assert "Did you mean 'here'?" in run.err
    assert "There is here, there and back" in config(path, "--context", "zzz").err


def test_every_key_is_an_option_of_the_commands() -> None:
    for command in ("graph", "errors"):
        text = called(command, "--help").text
        for key in KEYS:
            option = "--header" if key == "headers" else f"--{key}"
            assert option in text


# What goes before what


def test_a_flag_goes_before_a_variable_before_the_context_before_the_default(path: Path) -> None:
    assert rows(config(path))["tenant"] == ("acme", "context here")
    assert rows(config(path, TRACEVIZ_TENANT="other"))["tenant"] == ("other", "TRACEVIZ_TENANT")
    assert rows(config(path, "--tenant", "last", TRACEVIZ_TENANT="other"))["tenant"] == ("last", "--tenant")
    assert rows(config(path))["parallel"] == ("4", "default")
    assert rows(config(path, TRACEVIZ_PARALLEL="9"))["parallel"] == ("9", "TRACEVIZ_PARALLEL")


def test_the_context_is_chosen_by_flag_variable_or_file_and_may_be_none(path: Path) -> None:
    assert rows(config(path))["context"] == ("here", "current-context")
    assert rows(config(path, TRACEVIZ_CONTEXT="there and back"))["context"][1] == "TRACEVIZ_CONTEXT"
    there = rows(config(path, "--context", "there and back", TRACEVIZ_CONTEXT="here"))
    assert there["context"] == ("there and back", "--context")
    assert there["limit"] == ("50", "context there and back")
    assert rows(config(path, "--context", ""))["url"] == ("http://localhost:16686", "default")


def test_every_variable_is_read(tmp_path: Path) -> None:
    said = {
        "url": "http://h:1",
        "api": "v1",
        "headers": "A: 1\n\nB: 2",
        "bearer-token-file": "token",
        "tenant": "t",
        "tenant-header": "x-t",
        "ca-cert": "ca",
        "cert": "c",
        "key": "k",
        "timeout": "7s",
        "parallel": "3",
        "ui-url": "http://u",
    }
    variables = {f"TRACEVIZ_{key.upper().replace('-', '_')}": value for key, value in said.items()}
    shown = rows(called("config", env=variables))
    for key, value in said.items():
        source = f"TRACEVIZ_{key.upper().replace('-', '_')}"
        assert shown[key] == ("A: …, B: …" if key == "headers" else value, source)
    assert rows(called("config", env={"TRACEVIZ_INSECURE": "1"}))["insecure"] == ("true", "TRACEVIZ_INSECURE")


def test_secrets_are_not_shown(path: Path) -> None:
    run = config(path, "--context", "there and back")
    shown = rows(run)
    assert shown["ui-url"][0] == "https://jaeger.example.com (user and password: …)"
    assert shown["headers"] == ("X-Key: …, Accept-Language: …", "context there and back")
    assert "s3cret" not in run.text + run.err


def test_what_contradicts_itself_is_shown_and_then_told(path: Path) -> None:
    run = config(path, "--key", "k")
    assert run.code == 2
    assert "--key is given without --cert" in run.err
    assert "acme" in run.text


def write(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return {"TRACEVIZ_CONFIG": str(path)}


def test_a_context_is_used_by_the_commands(tmp_path: Path) -> None:
    with unruly(good) as server:
        env = write(
            tmp_path,
            f"""
            current-context = "c"
            [contexts.c]
            url = "{server.url}"
            headers = {{ X-Key = "one two" }}
            bearer-token-file = "token"
            tenant = "acme"
            api = "v1"
            service = "istio-ingress"
            limit = 70
            ui-url = "http://ui"
            """,
        )
        (tmp_path / "token").write_text("the-token")
        window = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1] + 1))
        document: Any = called("errors", "-o", "json", *window, env=env).json()
        sent = server.headers[0]
    assert (document["asked"]["service"], document["asked"]["limit"]) == ("istio-ingress", 70)
    assert document["failing_hops"][0]["links"][0].startswith("http://ui/trace/")
    assert server.asked[0] == "/api/services"
    assert (sent["X-Key"], sent["Authorization"], sent["x-tenant"]) == ("one two", "Bearer the-token", "acme")


def test_what_a_context_says_of_its_traces_means_nothing_to_files(tmp_path: Path) -> None:
    env = write(
        tmp_path,
        'current-context = "c"\n[contexts.c]\nservice = "service-rust"\nlimit = 3\nsince = "1s"\nurl = "http://j"',
    )
    document: Any = called("errors", SEED, "-o", "json", env=env).json()
    assert document["counts"]["traces"] == 200
    assert document["asked"]["service"] is None
    assert document["failing_hops"][0]["links"][0].startswith("http://j/trace/")


def test_a_flag_goes_before_what_it_excludes_in_a_context(tmp_path: Path) -> None:
    env = write(
        tmp_path,
        """
        current-context = "c"
        [contexts.c]
        limit = 3
        since = "1s"
        basic-auth-file = "login"
        ca-cert = "ca.pem"
        headers = { Authorization = "Custom s3cret", X-Key = "k" }
        """,
    )
    run = called("config", env=env)
    assert run.code == 2
    assert "exclude each other" in run.err
    shown = rows(called("config", "--bearer-token-file", "t", "--insecure", "--all", "--from", "now-1h", env=env))
    assert shown["bearer-token-file"] == ("t", "--bearer-token-file")
    assert shown["insecure"] == ("true", "--insecure")
    for key in ("basic-auth-file", "ca-cert", "limit", "since"):
        assert shown[key] == ("not used here", "context c")
    assert rows(called("config", "-H", "Authorization: x", env=env))["basic-auth-file"][0] == "not used here"


def test_what_a_context_says_of_who_asks_goes_to_its_own_url_alone(tmp_path: Path) -> None:
    with unruly(good) as home, unruly(good) as other:
        env = write(
            tmp_path,
            f"""
            current-context = "c"
            [contexts.c]
            url = "{home.url}/jaeger"
            tenant = "acme"
            headers = {{ X-Key = "s3cret" }}
            bearer-token-file = "token"
            """,
        )
        (tmp_path / "token").write_text("s3cret-token")
        window = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1] + 1))
        for run in (
            called("graph", "--url", other.url, *window, env=env),
            called("graph", other.url, *window, env=env),
            called("graph", *window, env={**env, "TRACEVIZ_URL": other.url}),
        ):
            assert run.code == 0
            assert f"context c is about {home.url}/jaeger: its headers, bearer-token-file are left out" in run.err
        assert "s3cret" not in json.dumps(other.headers)
        assert other.headers[0]["x-tenant"] == "acme"
        assert home.asked == []
        run = called("graph", "--url", f"{home.url}/", *window, env=env)
        assert run.code == 0
        assert "left out" not in run.err
        assert home.headers[0]["X-Key"] == "s3cret"


# The command


def test_config_is_config_show_and_has_help_and_commands(path: Path) -> None:
    assert config(path).out == config(path, "show").out
    assert "contexts" in config(path, "--help").text
    assert "Secrets are not shown" in config(path, "show", "--help").text
    assert config(path, "nonsense").code == 2


def test_without_contexts_an_example_is_shown_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (("config",), ("config", "contexts")):
        run = called(*arguments)
        assert run.code == 0
        example = run.text.partition("may read:\n\n")[2]
        path = tmp_path / "config.toml"
        path.write_text(example)
        monkeypatch.setenv("TRACEVIZ_CONFIG", str(path))
        assert read_config().current == "prod"
        for name in read_config().contexts:
            assert read_config().defaults(name)["url"]


def test_contexts_are_listed_with_the_current_one_and_what_is_wrong_with_them(path: Path) -> None:
    path.write_text(f"{FILE}\n[contexts.wrong]\nlimit = 'x'\n[contexts.bare]\n")
    lines = config(path, "contexts").text.splitlines()
    assert lines[0].split() == ["*", "here", "http://localhost:1/jaeger"]
    assert lines[1].split()[-1] == "https://jaeger.example.com"
    assert "cannot be used" in lines[2]
    assert lines[3].split() == ["bare", "no", "url"]
    path.write_text("current-context = 'gone'\n[contexts.x]\n")
    assert "there is no such context" in config(path, "contexts").err


def test_use_changes_one_line_of_the_file(path: Path) -> None:
    assert config(path, "use", "there and back").code == 0
    assert path.read_text() == FILE.replace('"here"  #', '"there and back"  #')
    assert read_config().current == "there and back"


@pytest.mark.parametrize(
    "text",
    [
        "[contexts.a]\n",
        "\ufeff# a comment\r\n[contexts.a]\r\n",
        "current-context = 'b' # b\n[contexts.a]\ncurrent-context-of-mine = 1",
        "  current-context='b'\ncontexts.a.url = 'http://h'\n",
        'contexts = { a = { url = "http://h" } }\n',
    ],
)
def test_use_writes_into_files_of_all_kinds(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    before = read_config().contexts
    assert use("a").current == "a"
    assert (read_config().current, read_config().contexts) == ("a", before)


def test_use_keeps_the_mode_and_follows_links(path: Path) -> None:
    path.chmod(0o600)
    link = path.with_name("link.toml")
    link.symlink_to(path)
    assert config(link, "use", "there and back").code == 0
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["config.toml", "link.toml"]


def test_use_refuses_what_it_cannot_do_and_leaves_the_file_alone(path: Path) -> None:
    assert config(path, "use", "nothing").code == 2
    assert path.read_text() == FILE
    odd = 'current-context = """here"""\n[contexts.here]\n[contexts.b]\n'
    path.write_text(odd)
    assert "Set current-context there" in config(path, "use", "b").err
    assert path.read_text() == odd


def test_use_helps_where_the_current_context_is_gone(path: Path) -> None:
    path.write_text("current-context = 'gone'\n[contexts.x]\n")
    assert config(path).code == 2
    assert config(path, "use", "x").code == 0
    assert config(path).code == 0


@pytest.mark.parametrize("name", ['a "b" \\ c', "ünï", "\x1b[2J", "a.b", "'"])
def test_a_context_may_be_called_anything(path: Path, name: str) -> None:
    path.write_text(f"[contexts.{json.dumps(name)}]\ntenant = 'acme'\n")
    assert config(path, "use", name).code == 0
    assert read_config().current == name
    run = config(path)
    assert rows(run)["tenant"][0] == "acme"
    assert "\x1b" not in run.text + config(path, "contexts").text


def test_names_of_contexts_are_completed(path: Path) -> None:
    run = called(
        env={
            "TRACEVIZ_CONFIG": str(path),
            "_TRACEVIZ_COMPLETE": "bash_complete",
            "COMP_WORDS": "traceviz graph --context th",
            "COMP_CWORD": "3",
        }
    )
    assert "there and back" in run.text


def test_a_context_that_cannot_be_used_is_a_warning_where_only_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for text in ('current-context = "gone"\n[contexts.a]\nurl = "http://a"\n', "no TOML", "[contexts.a]\nurl = 3\n"):
        path.write_text(text)
        env = {"TRACEVIZ_CONFIG": str(path), "TRACEVIZ_CONTEXT": "a"} if "3" in text else {"TRACEVIZ_CONFIG": str(path)}
        of_files = called("graph", SEED, env=env)
        assert of_files.code == 0
        assert "no context is used for these files: " in of_files.err
        assert str(path) in of_files.err
        for arguments in (["graph"], ["graph", "--url", "http://127.0.0.1:9"], ["config"], ["fetch", "-O", "x.jsonl"]):
            run = called(*arguments, env=env)
            assert (run.code, run.out) == (2, b"")
            assert str(path) in run.err


def test_a_context_that_the_command_line_names_has_to_be_there(path: Path) -> None:
    run = called("graph", SEED, "--context", "gone", env={"TRACEVIZ_CONFIG": str(path)})
    assert (run.code, run.out) == (2, b"")


def test_a_duration_that_is_none_is_told_with_who_said_it() -> None:
    assert "TRACEVIZ_TIMEOUT: 'soon' is not a duration" in called("services", env={"TRACEVIZ_TIMEOUT": "soon"}).err
    by_flag = called("services", "--timeout", "later", env={"TRACEVIZ_TIMEOUT": "soon"})
    assert by_flag.code == 2
    assert "--timeout: 'later' is not a duration" in by_flag.err


def test_values_stand_under_each_other_also_behind_broad_letters(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[contexts."日本"]\nurl = "http://a"\n[contexts.local]\nurl = "http://b"\n')
    lines = config(path, "contexts").text.splitlines()
    assert len({cell_len(line[: line.index("http")]) for line in lines}) == 1
