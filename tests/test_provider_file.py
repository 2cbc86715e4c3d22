"""Provider files: a new gateway of a known shape without code, and errors that name the place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.surfaces import TASK, answer, body_of
from veo_async.answers import Finished, RefusalKind, Refused, Running
from veo_async.errors import ConfigurationError
from veo_async.gateways import PRESETS, SHAPES, preset
from veo_async.models import VideoRequest
from veo_async.providers import Provider
from veo_async.providers.environment import NAMES

KEY = "sk-0123456789abcdef"
FULL = """
name = "mine"
shape = "unified"
base_url = "https://mine.example/api"
status_base_url = "https://status.mine.example"
key_variables = ["MINE_API_KEY", "OTHER_KEY"]
key_header = "X-Key"
key_prefix = "Token "
download_hosts = ["CDN.mine.example"]

[paths]
submit = "/v2/create"
check = "/v2/query/{id}"

[models]
"veo-3.1" = "veo-ultra"

[fields]
seed = "random_seed"

[status_words]
"Baked" = "done"
"half_baked" = "running"

[[errors]]
kind = "balance"
status = [418]

[[errors]]
kind = "content"
code = 1001

[[errors]]
kind = "rate_limit"
text = "easy, tiger"
"""


def provider(tmp_path: Path, text: str = FULL) -> Provider:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return Provider.from_file(file, environ={"OTHER_KEY": KEY})


@pytest.mark.anyio
async def test_a_whole_file(tmp_path: Path) -> None:
    """Places, header, models, fields: all from the file; the key from the variable it names."""
    mine = provider(tmp_path)
    assert (mine.name, mine.base_url, mine.status_base_url) == (
        "mine",
        "https://mine.example/api",
        "https://status.mine.example",
    )
    assert mine.credential_origins == {"https://mine.example", "https://status.mine.example"}
    assert mine.download_hosts == {"cdn.mine.example"}
    assert await mine.authorization() == {"X-Key": f"Token {KEY}"}
    assert mine.model_name("veo-3.1") == "veo-ultra"
    assert mine.model_name(None) == "veo3.1-fast"
    assert mine.estimate(VideoRequest("a", model="veo-3.1")) == 3.20
    submit = mine.dialect.submit(VideoRequest("a", seed=7), "veo-ultra")
    assert submit.url == "https://mine.example/api/v2/create"
    assert body_of(submit) == {"prompt": "a", "model": "veo-ultra", "random_seed": 7}
    assert mine.dialect.check("a:b").url == "https://status.mine.example/v2/query/a%3Ab"


def test_words_and_errors(tmp_path: Path) -> None:
    """The file's own stand beside the shape's, and are read first."""
    dialect = provider(tmp_path).dialect
    baked = {"id": TASK, "status": "BAKED", "video_url": "https://h/a"}
    assert isinstance(dialect.read_check(answer(baked), TASK), Finished)
    assert dialect.read_check(answer({"id": TASK, "status": "half_baked"}), TASK) == Running()
    assert dialect.read_check(answer({"id": TASK, "status": "pending"}), TASK) == Running()
    errors = [
        (answer({"error": "no tea"}, 418), RefusalKind.BALANCE),
        (answer({"error": {"code": 1001, "message": "x"}}), RefusalKind.CONTENT),
        (answer({"error": {"code": "1001", "message": "x"}}, 500), RefusalKind.CONTENT),
        (answer({"message": "Easy, tiger!"}, 503), RefusalKind.RATE_LIMIT),
        (answer({"message": "x"}, 503), RefusalKind.OVERLOADED),
    ]
    for response, kind in errors:
        refused = dialect.read_submit(response, "m")
        assert isinstance(refused, Refused)
        assert refused.kind is kind


def test_what_is_given_outright_wins(tmp_path: Path) -> None:
    """Another base URL takes the checks along."""
    file = tmp_path / "mine.toml"
    file.write_text(FULL)
    mine = Provider.from_file(file, api_key=KEY, base_url="https://other.example", environ={})
    assert (mine.base_url, mine.status_base_url) == ("https://other.example", "https://other.example")


def test_a_gateway_of_googles_format(tmp_path: Path) -> None:
    """Its options are the constructor's."""
    mine = provider(
        tmp_path,
        """
        name = "mine"
        shape = "gemini"
        base_url = "https://mine.example"
        key_variables = ["OTHER_KEY"]
        [options]
        version = "v1"
        duration_as_string = true
        """,
    )
    submit = mine.dialect.submit(VideoRequest("a", duration_seconds=8), "m")
    assert submit.url == "https://mine.example/v1/models/m:predictLongRunning"
    assert submit.body == (b'{"instances": [{"prompt": "a"}], "parameters": {"durationSeconds": "8"}}',)
    assert mine.model_name("veo-3.1") == "veo-3.1-generate-preview"


def test_a_version_at_the_end_of_a_base_url(tmp_path: Path) -> None:
    """Google's pages show it there; it is a segment of the paths, so it is written once."""
    mine = provider(
        tmp_path,
        """
        name = "mine"
        shape = "gemini"
        base_url = "https://mine.example/v1beta/"
        status_base_url = "https://status.mine.example/v1beta"
        key_variables = ["OTHER_KEY"]
        """,
    )
    assert mine.base_url == "https://mine.example"
    check = mine.dialect.check("models/m/operations/a")
    assert check.url == "https://status.mine.example/v1beta/models/m/operations/a"


def test_the_key_is_never_another_services(tmp_path: Path) -> None:
    """VEO_API_KEY may be anybody's: only the variables that the file names count."""
    file = tmp_path / "mine.toml"
    file.write_text(FULL)
    with pytest.raises(ConfigurationError, match="set MINE_API_KEY or OTHER_KEY"):
        Provider.from_file(file, environ={"VEO_API_KEY": KEY})
    file.write_text('name = "mine"\nshape = "unified"\nbase_url = "https://h.example"')
    with pytest.raises(ConfigurationError, match="name its variable in key_variables"):
        Provider.from_file(file, environ={"VEO_API_KEY": KEY})


HEAD = 'name = "mine"\nshape = "unified"\nbase_url = "https://h.example"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ?", "is not TOML: .*line 1"),
        ('shape = "unified"', "name: is missing"),
        ('name = "Mine!"\nshape = "unified"', "name: must be lower case"),
        (
            'name = "mine"\nshape = "sora"',
            "shape: must be one of gemini, gptproto-v3, unified, openai-videos",
        ),
        (HEAD + 'api_key = "sk-x"', "api_key: no such field"),
        (HEAD + "base_urls = 1", "base_urls: no such field; did you mean base_url"),
        (HEAD.replace("https", "http"), "base_url: it is http:// to another machine"),
        (HEAD + 'status_base_url = "ftp://h"', "status_base_url: it must be a URL"),
        (HEAD + 'key_header = "a b"', "key_header: must be the name of a header of its own"),
        (HEAD + 'key_header = "Content-Length"', "key_header: must be the name of a header of its own"),
        (HEAD + 'key_prefix = "a\\nb"', "key_prefix: must be a word"),
        (
            HEAD + 'key_variables = ["sk-9876543210"]',
            r"key_variables\[0\]: must be the name of an environment",
        ),
        (HEAD + "key_variables = 1", "key_variables: must be a list"),
        (HEAD + "[options]\ncan_list = true", "options.can_list: unified has no such option"),
        (HEAD + "[options]\nx = 1", "options.x: must be true, false or a string"),
        (HEAD + '[paths]\nlist = "/x"', "paths.list: unified has no such path; there are submit, check"),
        (HEAD + '[paths]\ncheck = "x"', "paths.check: must begin with a slash"),
        (
            HEAD + '[paths]\ncheck = "/{model}"',
            r"paths.check: may have the places of /v1/video/query\?id={id}",
        ),
        (HEAD + '[paths]\ncheck = "/{id!r}"', "paths.check: may have the places"),
        (HEAD + '[paths]\ncheck = "/{"', "paths.check: may have the places"),
        (HEAD + '[fields]\nprompt = "x"', "fields.prompt: is no field of a request that may be sent so"),
        (HEAD + '[fields]\nseed = "a b"', "fields.seed: must be the name"),
        (HEAD + '[status_words]\nready = "fine"', "status_words.ready: must be one of running, done"),
        (HEAD + '[[errors]]\nkind = "odd"\nstatus = [1]', r"errors\[0\].kind: must be one of invalid"),
        (
            HEAD + '[[errors]]\nkind = "content"',
            r"errors\[0\]: must have at least one of status, code and text",
        ),
        (HEAD + '[[errors]]\nkind = "content"\ntext = "("', r"errors\[0\].text: is no regular expression"),
        (HEAD + '[[errors]]\nkind = "content"\nstatus = ["x"]', r"errors\[0\].status\[0\]: must be a whole"),
        (HEAD.replace("unified", "gemini") + '[status_words]\na = "done"', "status_words: the shape gemini"),
        (
            HEAD.replace("unified", "openai-videos") + '[options]\ncan_list = "x"',
            "options.can_list: must be true",
        ),
    ],
)
def test_a_file_at_fault(tmp_path: Path, text: str, words: str) -> None:
    """The error names the file, the place in it, and what belongs there."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        provider(tmp_path, text)
    assert str(tmp_path / "mine.toml") in str(caught.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    """One look is enough to mend a file."""
    with pytest.raises(ConfigurationError, match=r"name: .*; key_prefix: .*; paths\.x: "):
        provider(tmp_path, 'name = "A"\nshape = "unified"\nkey_prefix = "\\n"\n[paths]\nx = "/"')


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, or no text."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Provider.from_file(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        Provider.from_file(tmp_path / "odd.toml")


@pytest.mark.parametrize("name", PRESETS)
def test_the_packages_own_files(name: str) -> None:
    """Each is one, and is known by its name everywhere."""
    gateway = preset(name)
    assert gateway.name == name
    assert gateway.shape in SHAPES
    assert name in NAMES
    made = Provider.from_env(
        provider=name, base_url=gateway.base_url or "https://h.example", environ={"VEO_API_KEY": KEY}
    )
    assert (made.name, made.family) == (name, SHAPES[gateway.shape].family)


def test_a_shape_is_a_name_and_a_dialect() -> None:
    """What a shape promises of its tables holds."""
    for name, shape in SHAPES.items():
        assert shape.name == name
        assert all(path.startswith("/") for path in shape.paths.values())
        assert all(word == word.strip().lower() for word in shape.words)
