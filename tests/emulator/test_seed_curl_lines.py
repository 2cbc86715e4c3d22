"""The curl lines of the seeds, as printed but for the host and what stands in braces."""

import shlex
from urllib.parse import urlsplit

import pytest

from .client import MODEL, Answer, Client, serving

pytestmark = pytest.mark.anyio

RESULT_OF_A_PREDICTION = """curl -X GET "https://gptproto.com/api/v3/predictions/{task_id}/result" \\
    -H "Authorization: sk-***********" \\
    -H "Content-Type: application/json"
"""
QUERY_OF_AN_OPERATION = """curl --request GET \\
  --url https://gptproto.com/v1beta/models/{model_name}/operations/{operation_id} \\
  --header 'x-goog-api-key: <x-goog-api-key>'
"""
EXAMPLE_OF_A_QUERY = """curl --location \\
  'https://api.gptproto.com/v1beta/models/veo-3.1-generate-preview/operations/mg3pt9cbmvr1' \\
  --header 'x-goog-api-key: YOUR_API_KEY'
"""
_FLAGS = {"-X": "method", "--request": "method", "-H": "header", "--header": "header", "--url": "url"}


async def curl(client: Client, line: str) -> Answer:
    """Do what a curl line says, at the emulator's host; a flag that is not known here fails."""
    words = shlex.split(line.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    said: dict[str, list[str]] = {"method": [], "header": [], "url": []}
    while words:
        word = words.pop(0)
        if word in _FLAGS:
            said[_FLAGS[word]].append(words.pop(0))
        elif word != "--location":  # nothing here answers with a redirect
            assert not word.startswith("-"), word
            said["url"].append(word)
    (url,) = said["url"]
    headers = dict(header.split(": ", 1) for header in said["header"])
    return await client.ask((said["method"] or ["GET"])[0], urlsplit(url).path, headers=headers, key=None)


async def test_the_result_of_a_prediction() -> None:
    """Seed 000: the key stands raw behind Authorization."""
    async with serving(keys=("sk-***********",)) as client:
        body = {"prompt": "A boat"}
        made = await client.bearer("POST", "/api/v3/google/veo3.1-fast/text-to-video", json=body)
        task = made.json["data"]["id"]
        found = await curl(client, RESULT_OF_A_PREDICTION.replace("{task_id}", task))
        assert (found.status, found.json["data"]["id"]) == (200, task)
        # curl sends what stands in braces as it is.
        assert (await curl(client, RESULT_OF_A_PREDICTION)).status == 404


async def test_the_query_of_an_operation() -> None:
    """Seed 001, the line at the top of its page."""
    async with serving(keys=("<x-goog-api-key>",), waiting=0.0) as client:
        operation = await client.submit("A boat")
        line = QUERY_OF_AN_OPERATION.replace("{model_name}", MODEL)
        found = await curl(client, line.replace("{operation_id}", operation.rsplit("/", 1)[1]))
        assert (found.status, found.json["name"], found.json["done"]) == (200, operation, True)
        assert (await curl(client, QUERY_OF_AN_OPERATION)).status == 404


@pytest.mark.parametrize(("key", "status"), [("YOUR_API_KEY", 404), ("another", 401)])
async def test_the_example_of_a_query(key: str, status: int) -> None:
    """Seed 001, its example: nobody has that operation here, and a wrong key hears the seed's own words."""
    async with serving(keys=(key,), error_style="gptproto") as client:
        answer = await curl(client, EXAMPLE_OF_A_QUERY)
        assert answer.status == status
        if status == 401:
            assert answer.json == {"error": {"message": "Invalid signature", "type": "401"}}
