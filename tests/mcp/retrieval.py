"""A client that knows nothing but what a server publishes: it chooses a tool by the words of the descriptions.

Okapi BM25 over name, title, description and arguments of each tool. Korean questions are put into English word by word,
by a small dictionary of the field.
"""

import math
import re
from collections import Counter
from typing import Any

K1, B = 1.2, 0.75
STOP = set(
    "a an the of to in on at for by with and or is are was were be do does did it its that this what which how much many "
    "i my me you can could should would will not no if as from than then there all each any one only so up us"
    " without else".split()
)

# Words of one meaning. The first is what all of them become.
SYNONYMS = [
    "power watt",
    "now current currently moment present",
    "energy joule kwh consumption electricity",
    "use consume draw usage",
    "emit emission carbon co2 footprint",
    "workload deployment service pod app application",
    "comply compliance compliant violate breach verdict judge judgement",
    "find search look lookup",
    "big largest biggest most top highest",
    "cost price bill money won",
    "compare against versus comparison",
    "start run begin schedule",
    "job batch",
    "region location place country",
    "save saving reduce reduction",
    "assess check evaluate keep meet",
    "list show",
    "summary summarize overview summarise sum",
    "trend rise grow develop course",
    "past last previous over ago yesterday",
    "why reason cause",
]

# Korean words of the field, longest first where one contains another.
KOREAN = {
    "지금": "now",
    "현재": "now",
    "전력 추세": "power trend analyze",
    "추세": "trend",
    "이상치": "anomalies",
    "분석": "analyze",
    "전력": "power",
    "와트": "watt",
    "에너지": "energy",
    "줄": "joule",
    "사용량": "usage",
    "가장 많이": "most",
    "많이": "most",
    "쓰는": "use",
    "쓴": "used",
    "지난": "past",
    "동안": "window",
    "네임스페이스": "namespace",
    "노드": "node",
    "별": "groups",
    "비용": "cost",
    "요금": "cost",
    "이름": "name",
    "찾아": "find",
    "들어간": "part",
    "워크로드": "workload",
    "준수하지 않는": "not compliant status",
    "준수": "compliance",
    "표준": "standard",
    "평가": "assess",
    "목록": "list",
    "지역": "region",
    "리전": "region",
    "집약도": "intensity",
    "비교": "compare",
    "작업": "job",
    "언제": "when",
    "시각": "time",
    "실행": "run",
    "배출": "emit",
    "탄소": "carbon",
    "클러스터": "cluster",
    "요약": "summarize",
    "줄이": "reduce",
    "최적화": "optimization",
    "효과": "impact",
    "원인": "why",
    "개선": "do about",
}


def words(text: str) -> list[str]:
    """The words of a text, stemmed a little, words of one meaning as one."""
    for korean, english in sorted(KOREAN.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(korean, f" {english} ")
    found = re.findall(r"[a-z0-9]+", text.lower().replace("_", " "))
    return [same(stem(word)) for word in found if word not in STOP]


def stem(word: str) -> str:
    """Without the endings of plurals and verbs."""
    for ending in ("ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending) + ("y" if ending == "ies" else "")
            break
    return word.removesuffix("e") if len(word) > 4 else word


def same(word: str) -> str:
    """The word that stands for all of its meaning."""
    for group in SYNONYMS:
        members = [stem(member) for member in group.split()]
        if word in members:
            return members[0]
    return word


class Chooser:
    """Chooses among published tools."""

    def __init__(self, tools: list[Any]) -> None:
        self.names = [tool.name for tool in tools]
        self.documents = [self._document(tool) for tool in tools]
        self.mean = sum(sum(document.values()) for document in self.documents) / len(tools)
        self.frequency = Counter(word for document in self.documents for word in document)

    @staticmethod
    def _document(tool: Any) -> Counter[str]:
        # What a tool is not for would count for it.
        said = re.sub(r"Not for.*?(?=Example|$)", "", tool.description, flags=re.S)
        own = words(f"{tool.name} {tool.title} ") * 2 + words(said.split("Example")[0])
        return Counter(own)

    def rank(self, question: str) -> list[str]:
        """Names of tools, the most fitting first."""
        asked = words(question)
        scores = []
        for document in self.documents:
            length = sum(document.values())
            score = 0.0
            for word in asked:
                if count := document[word]:
                    rarity = math.log(1 + (len(self.documents) - self.frequency[word] + 0.5) / (self.frequency[word] + 0.5))
                    score += rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * length / self.mean))
            scores.append(score)
        return [name for _, name in sorted(zip(scores, self.names, strict=True), key=lambda pair: -pair[0])]
