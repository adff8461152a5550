"""Forty questions in English and Korean: the published descriptions lead to the right tool, and its answer is right."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import cluster
import pytest
from cluster import ALL, GRID, PUE, WORKLOADS, watts_in, watts_of
from conftest import FOLDER, NODE
from mcp import Client, StdioServerParameters
from retrieval import Chooser

pytestmark = pytest.mark.anyio

NOW, ENERGY, FIND = "get_power_now", "get_energy", "find_workloads"
ASSESS, LIST, SUMMARY = "assess_workload_compliance", "list_workloads_by_compliance", "get_cluster_carbon_summary"
IMPACT, REGIONS, SCHEDULE = "compare_optimization_impact", "get_regional_comparison", "calculate_optimal_schedule"
HOTSPOTS, TREND = "get_power_hotspots", "analyze_workload_power_trend"

WINDOW = "6s"
SHORT = {"window": WINDOW}
SHOP = {"workload": "web", "namespace": "shop", **SHORT}


def grams_per_hour(watts: float) -> float:
    """Emissions at a power, in this facility."""
    return watts / 1000 * PUE * GRID


def found(name: str) -> Any:
    """Names of an answer of find_workloads."""
    return lambda answer: [own["workload"] for own in answer["workloads"]][:1] == [name]


def near(path: str, expected: float) -> Any:
    """A figure of the answer, within 3 %: two readings of an exporter are a little apart."""

    def is_near(answer: Any) -> bool:
        for step in path.split("."):
            answer = answer[int(step)] if step.isdigit() else answer[step]
        return abs(answer - expected) <= 0.03 * expected

    return is_near


def both(*checks: Any) -> Any:
    """All of these."""
    return lambda answer: all(check(answer) for check in checks)


def no_verdict_but(status: str) -> Any:
    """The status of an assessment."""
    return lambda answer: answer["status"] == status


ranked = lambda answer: [row["rank"] for row in answer["regions"]] == list(range(1, len(answer["regions"]) + 1))  # noqa: E731
planned = lambda answer: answer["recommended"] is not None or answer["caveats"]  # noqa: E731

# The question, the tool, the arguments that it names, and what is right about the answer.
QUESTIONS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("What is using power right now?", NOW, SHORT, both(near("power_watts.total", ALL), near("workloads_watts", WORKLOADS))),
    ("Which workload draws the most watts at the moment?", NOW, SHORT, near("consumers.0.power_watts", 25)),
    ("How many watts does node-2 draw now?", NOW, {"node": "node-2", **SHORT}, near("power_watts.total", cluster.total("node-2"))),
    ("What share of the current power is idle?", NOW, SHORT, near("idle_watts", sum(cluster.IDLE.values()))),
    ("How much energy did the namespace shop use in the past minute?", ENERGY, {"namespace": "shop", **SHORT}, near("mean_power_watts", watts_in("shop"))),
    ("How many joules did the deployment web use over the last minute?", ENERGY, SHOP, near("mean_power_watts", watts_of("web"))),
    ("Energy of each node over the last hour, in groups", ENERGY, {"by": "node", **SHORT}, near("groups.0.share_percent", 100 * cluster.total("node-1") / ALL)),
    ("Give me the energy of redis as a series of steps", ENERGY, {"workload": "redis", "step": "2s", **SHORT}, near("series.0.power_watts", 10)),
    ("What did the energy of the whole cluster cost yesterday?", ENERGY, SHORT, lambda answer: abs(answer["cost"] - answer["energy_kwh"] * PUE * cluster.PRICE) <= 0.01 * answer["cost"]),
    ("How much energy did nginx use in the last day, with emissions?", ENERGY, {"workload": "nginx", **SHORT}, near("mean_power_watts", 15)),
    ("Find workloads with redis in the name", FIND, {"query": "redis", **SHORT}, lambda answer: answer["total"] == 2),
    ("What is the exact name of the nginx pod?", FIND, {"query": "nginx", "kind": "pod", **SHORT}, found("nginx-6c8b7d9f4-z9z9z")),
    ("Look up the name of everything in namespace batch", FIND, {"namespace": "batch", "kind": "job", **SHORT}, found("nightly")),
    ("Does web comply with the Korean carbon standard?", ASSESS, SHOP, both(no_verdict_but("NON_COMPLIANT"), near("power_watts.total", watts_of("web")))),
    ("Assess whether checkout keeps its standard and what would reduce its emissions", ASSESS, {**SHOP, "workload": "checkout"}, near("emissions_gCO2eq_per_hour", grams_per_hour(25))),
    ("Check the compliance of a workload against the target intensity", ASSESS, SHOP, near("current_carbon_intensity_gCO2eq_kWh", GRID * PUE)),
    ("Which workloads are not compliant? List them", LIST, SHORT, lambda answer: answer["counts"]["non_compliant"] == answer["total"]),
    ("List workloads of a namespace by compliance status", LIST, {"namespace": "shop", **SHORT}, lambda answer: answer["total"] == 3),
    ("What would a better PUE or smaller requests save for web?", IMPACT, {**SHOP, "target_pue": 1.2}, lambda answer: answer["steps"] or answer["caveats"]),
    ("Compare the impact of optimizations of web", IMPACT, SHOP, lambda answer: "current" in answer or "caveats" in answer),
    ("Which cloud regions have the lowest carbon intensity?", REGIONS, {}, ranked),
    ("Compare regions Seoul, Sweden and France by grid intensity", REGIONS, {"regions": ["seoul", "SE", "FR"]}, ranked),
    ("When should a job of 4 hours run to emit least?", SCHEDULE, {"duration": "4h"}, lambda answer: answer["caveats"]),
    ("Best time for a batch job before its deadline", SCHEDULE, {"duration": "2h", "deadline": "24h"}, lambda answer: answer["caveats"]),
    ("Why do the largest consumers draw so much and what to do about it?", HOTSPOTS, SHORT, near("hotspots.0.power_watts", 25)),
    ("Analyze the power trend of web: is it rising, are there anomalies?", TREND, {**SHOP}, near("mean_watts", watts_of("web"))),
    ("Summarize the cluster: carbon, idle share, compliance counts", SUMMARY, SHORT, near("power_watts", ALL)),
    ("지금 전력을 가장 많이 쓰는 것은 무엇인가요?", NOW, {"lang": "ko", **SHORT}, near("consumers.0.power_watts", 25)),
    ("현재 전체 전력은 몇 와트인가요?", NOW, {"lang": "ko", **SHORT}, near("power_watts.total", ALL)),
    ("shop 네임스페이스가 지난 1분 동안 쓴 에너지는?", ENERGY, {"namespace": "shop", "lang": "ko", **SHORT}, near("mean_power_watts", watts_in("shop"))),
    ("지난 1시간 동안 노드별 에너지 사용량과 비용은?", ENERGY, {"by": "node", "lang": "ko", **SHORT}, near("groups.1.share_percent", 100 * cluster.total("node-2") / ALL)),
    ("이름에 redis가 들어간 워크로드를 찾아줘", FIND, {"query": "redis", "lang": "ko", **SHORT}, lambda answer: answer["total"] == 2),
    ("web 워크로드가 탄소 표준을 준수하는지 평가해줘", ASSESS, {**SHOP, "lang": "ko"}, no_verdict_but("NON_COMPLIANT")),
    ("표준을 준수하지 않는 워크로드 목록을 보여줘", LIST, {"lang": "ko", **SHORT}, lambda answer: answer["counts"]["compliant"] == 0),
    ("탄소 집약도가 가장 낮은 리전은 어디인가요?", REGIONS, {"lang": "ko"}, ranked),
    ("4시간 작업을 언제 실행하면 탄소 배출이 가장 적을까요?", SCHEDULE, {"duration": "4h", "lang": "ko"}, lambda answer: answer["caveats"]),
    ("web의 전력 추세와 이상치를 분석해줘", TREND, {**SHOP, "lang": "ko"}, near("mean_watts", watts_of("web"))),
    ("클러스터 전체의 탄소 배출을 요약해줘", SUMMARY, {"lang": "ko", **SHORT}, near("emissions_gCO2eq_per_hour", grams_per_hour(ALL))),
    ("web 최적화 효과를 비교해줘: PUE를 줄이면?", IMPACT, {**SHOP, "target_pue": 1.2, "lang": "ko"}, lambda answer: answer["caveats"] is not None),
    ("전력을 많이 쓰는 원인과 개선 방법은?", HOTSPOTS, {"lang": "ko", **SHORT}, near("hotspots.0.power_watts", 25)),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def addresses() -> Iterator[list[str]]:
    """The exporters of the cluster."""
    with cluster.exporters() as started:
        yield started


@pytest.fixture(scope="module")
async def client(kepler_bin: Path, addresses: list[str]) -> AsyncIterator[Client]:
    """A client of a server that has read the cluster for longer than the window."""
    flags = ["mcp", f"--source=kepler={','.join(addresses)}", "--source.interval=1s", "--region=seoul", f"--pue={PUE}"]
    flags += [f"--grid-intensity={GRID}", f"--price={cluster.PRICE}"]
    stdio = StdioServerParameters(command=str(kepler_bin), args=flags)
    async with Client(stdio, read_timeout_seconds=60) as client:
        with anyio.fail_after(60):
            while True:
                answer = await client.call_tool(NOW, SHORT)
                if not answer.is_error and (answer.structured_content["coverage"] or 0) > 0.95:
                    break
                await anyio.sleep(0.5)
        yield client


async def test_the_right_tool_comes_first_for_all_but_two_questions(client: Client) -> None:
    assert len(QUESTIONS) == 40
    chooser = Chooser((await client.list_tools()).tools)
    missed = {question: ranked[:3] for question, tool, *_ in QUESTIONS if (ranked := chooser.rank(question))[0] != tool}
    assert len(missed) <= 2, missed
    beyond = [question for question, tool, *_ in QUESTIONS if tool not in chooser.rank(question)[:3]]
    assert not beyond, beyond


@pytest.mark.parametrize(("question", "tool", "arguments", "is_right"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
async def test_its_answer_is_right(client: Client, question: str, tool: str, arguments: dict[str, Any], is_right: Any) -> None:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content[0].text
    assert is_right(answer.structured_content), answer.content[0].text


def tokens(texts: list[str]) -> list[int]:
    """How many tokens each text has, by the tokenizer o200k."""
    done = subprocess.run([NODE, "tokens.mjs"], cwd=FOLDER, input=json.dumps(texts), capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="SKIPPED: run `npm ci` in tests/mcp, and have Node on the path")
async def test_answers_and_the_list_of_tools_leave_room_for_the_conversation(client: Client) -> None:
    answers = [(await client.call_tool(tool, arguments)).content[0].text for _, tool, arguments, _ in QUESTIONS]
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in (await client.list_tools()).tools]
    bare = [{name: value for name, value in tool.items() if name != "outputSchema"} for tool in listed]
    lists = [json.dumps({"tools": tools}, separators=(",", ":")) for tools in (listed, bare)]
    *weights, whole, without = tokens(answers + lists)
    heavy = {question[0]: weight for question, weight in zip(QUESTIONS, weights) if weight > 1000}
    assert not heavy, heavy
    assert whole <= 6000 and without <= 3000, (whole, without)
