"""The official Python client, by every transport and of every kind of handshake."""

import base64
import json

import anyio
import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

pytestmark = pytest.mark.anyio

TOOLS = {
    "assess_workload_compliance",
    "list_workloads_by_compliance",
    "compare_optimization_impact",
    "get_regional_comparison",
    "calculate_optimal_schedule",
    "get_power_hotspots",
    "analyze_workload_power_trend",
    "get_cluster_carbon_summary",
    "get_power_now",
    "get_energy",
    "find_workloads",
}


async def running(client: Client) -> str:
    """The name of a workload that runs, as soon as there are figures."""
    with anyio.fail_after(10):
        while True:
            completed = await client.complete(
                ref=ResourceTemplateReference(uri="workload-metrics://{namespace}/{workload}"),
                argument={"name": "workload", "value": "kepler"},
            )
            if completed.completion.values:
                return completed.completion.values[0]
            await anyio.sleep(0.05)


async def test_each_tool_has_schemas_and_hints(client: Client) -> None:
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert tool.annotations.read_only_hint
        assert tool.annotations.open_world_hint is False, "no provider is configured"
        assert len(tool.description) > 40


async def test_each_answer_fits_its_schema_and_its_text_says_the_same(client: Client) -> None:
    schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
    workload = {"workload_name": await running(client)}
    arguments = {
        "assess_workload_compliance": workload | {"lang": "ko"},
        "compare_optimization_impact": workload,
        "analyze_workload_power_trend": workload,
        "calculate_optimal_schedule": {"duration": "4h"},
    }
    for name in TOOLS:
        answer = await client.call_tool(name, arguments.get(name, {}))
        assert not answer.is_error, (name, answer.content)
        jsonschema.validate(answer.structured_content, schemas[name])
        assert json.loads(answer.content[0].text) == answer.structured_content


async def test_a_client_that_asks_for_a_chart_gets_a_picture_beside_the_figures(client: Client) -> None:
    await running(client)
    answer = await client.call_tool("get_power_now", {"format": "chart", "lang": "ko"})
    assert not answer.is_error and answer.structured_content["power_watts"], answer.content
    pictures = [content for content in answer.content if content.type == "image"]
    assert [picture.mime_type for picture in pictures] == ["image/png"]
    assert base64.b64decode(pictures[0].data).startswith(b"\x89PNG\r\n")
    assert all(content.type != "image" for content in (await client.call_tool("get_power_now", {})).content)


async def test_mistakes_are_reported_to_the_model_with_what_would_be_valid(client: Client) -> None:
    await running(client)
    for arguments, valid in [
        ({"workload_name": "kepler", "standard": "KR"}, "KR_CARBON_2050"),
        ({"workload_name": "kepler", "region": "seol"}, "seoul"),
        ({"workload_name": "keplr"}, "kepler"),
        ({"workload_name": 7}, "expected a string"),
        ({"workload_nam": "kepler"}, "workload"),
        ({}, "workload"),
    ]:
        answer = await client.call_tool("assess_workload_compliance", arguments)
        assert answer.is_error and valid in answer.content[0].text, (arguments, answer.content)
    with pytest.raises(MCPError, match="assess_workload_compliance"):
        await client.call_tool("asses", {})


async def test_each_listed_resource_is_json_and_templates_take_other_names(client: Client) -> None:
    listed = [resource.uri for resource in (await client.list_resources()).resources]
    assert "compliance-standards://korea/KR_CARBON_2050" in listed
    workload = f"workload-metrics://default/{await running(client)}"
    for uri in [*listed, "carbon-intensity://FR", "carbon-intensity://%EC%84%9C%EC%9A%B8", workload]:
        contents = (await client.read_resource(uri)).contents[0]
        assert contents.mime_type == "application/json" and json.loads(contents.text), uri
    for uri in ["carbon-intensity://atlantis", "compliance-standards://japan/KR_CARBON_2050", "file:///etc/passwd"]:
        with pytest.raises(MCPError):
            await client.read_resource(uri)
    assert len((await client.list_resource_templates()).resource_templates) == 3


async def test_prompts_check_their_arguments(client: Client) -> None:
    names = [prompt.name for prompt in (await client.list_prompts()).prompts]
    assert names == ["compliance_report", "plan_low_carbon_run", "explain_standard", "measure_energy"]
    explained = await client.get_prompt("explain_standard", {"standard": "kr-carbon-2050", "lang": "ko"})
    assert "한국어" in explained.messages[0].content.text
    assert json.loads(explained.messages[1].content.resource.text)["code"] == "KR_CARBON_2050"
    for name, arguments in [("explain_standard", {}), ("explain_standard", {"standard": "X"}), ("nothing", {}), ("explain_standard", {"standrd": "KR_CARBON_2050"})]:
        with pytest.raises(MCPError):
            await client.get_prompt(name, arguments)


async def test_completion_knows_regions_and_standards(client: Client) -> None:
    async def complete(prompt: str, name: str, value: str) -> list[str]:
        answer = await client.complete(ref=PromptReference(name=prompt), argument={"name": name, "value": value})
        return answer.completion.values

    assert "Seoul" in await complete("compliance_report", "region", "SEO")
    assert "KR_CARBON_2050" in await complete("explain_standard", "standard", "kr_")
    assert await complete("explain_standard", "nothing", "") == []


async def test_steps_are_reported_as_progress(client: Client) -> None:
    steps: list[tuple[float, str | None]] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        steps.append((done, message))

    await client.call_tool("get_cluster_carbon_summary", {}, progress_callback=progress)
    assert steps and [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert any("energy" in (message or "") for _, message in steps)
