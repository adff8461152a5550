//! Every word that is shown, in each language.

use super::model::frame::Trust;
use kepler_compliance::text::Lang;
use kepler_core::workload::WorkloadKind;

/// The words of a language.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) idle: &'static str,
    pub(crate) workloads: &'static str,
    pub(crate) active: &'static str,
    pub(crate) unattributed: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) pid: &'static str,
    pub(crate) measured: &'static str,
    pub(crate) partial: &'static str,
    pub(crate) estimated: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) today: &'static str,
    pub(crate) session: &'static str,
    pub(crate) since: &'static str,
    pub(crate) known: &'static str,
    pub(crate) measuring_here: &'static str,
    pub(crate) no_server: &'static str,
    pub(crate) every: &'static str,
    pub(crate) live: &'static str,
    pub(crate) paused: &'static str,
    pub(crate) stale: &'static str,
    pub(crate) past: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) first_power: &'static str,
    pub(crate) nothing: &'static str,
    pub(crate) nothing_fits: &'static str,
    pub(crate) not_watched: &'static str,
    pub(crate) asking_past: &'static str,
    pub(crate) of: &'static str,
    pub(crate) ended: &'static str,
    pub(crate) kinds: [&'static str; WorkloadKind::MEASURED.len()],
    pub(crate) footer: &'static [(&'static str, &'static str)],
    pub(crate) footer_zoom: &'static [(&'static str, &'static str)],
    pub(crate) help: &'static [(&'static str, &'static str)],
    pub(crate) help_title: &'static str,
    pub(crate) marks: &'static [(&'static str, &'static str)],
}

impl Words {
    /// The name of a kind.
    pub(crate) fn kind_of(&self, kind: WorkloadKind) -> &'static str {
        let index = WorkloadKind::MEASURED.iter().position(|other| *other == kind);
        index.and_then(|index| self.kinds.get(index)).copied().unwrap_or_default()
    }

    /// How far a figure can be trusted.
    pub(crate) const fn method(&self, trust: Trust) -> &'static str {
        match trust {
            Trust::Measured => self.measured,
            Trust::Partial => self.partial,
            Trust::Estimated => self.estimated,
            Trust::Unknown => self.unknown,
        }
    }
}

/// Those of `lang`.
pub(crate) const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Ko => &KOREAN,
        _ => &ENGLISH,
    }
}

static ENGLISH: Words = Words {
    idle: "idle",
    workloads: "workloads",
    active: "active",
    unattributed: "unattributed",
    name: "NAME",
    kind: "KIND",
    pid: "PID",
    measured: "measured",
    partial: "measured in part",
    estimated: "estimated",
    unknown: "unknown",
    today: "today",
    session: "session",
    since: "since",
    known: "known",
    measuring_here: "measuring here",
    no_server: "no server at",
    every: "every",
    live: "live",
    paused: "PAUSED",
    stale: "STALE",
    past: "PAST",
    waiting: "waiting for figures",
    first_power: "power is known from the second reading on",
    nothing: "nothing draws power; `a` shows all workloads",
    nothing_fits: "nothing fits the filter; Esc clears it",
    not_watched: "who drew it then is not known; the lines above are the machine's",
    asking_past: "asking who drew it then",
    of: "of",
    ended: "it has ended, or draws nothing",
    kinds: ["process", "container", "pod", "vm", "unit", "job", "command"],
    footer: &[
        ("?", "help"),
        ("q", "quit"),
        ("/", "filter"),
        ("s", "sort"),
        ("t", "tree"),
        ("u", "unit"),
        ("Enter", "zoom"),
        ("Space", "pause"),
        ("←→", "time"),
    ],
    footer_zoom: &[("Esc", "back"), ("←→", "time"), ("Space", "pause"), ("u", "unit"), ("?", "help"), ("q", "quit")],
    help: &[
        ("↑ ↓ PgUp PgDn", "select; also j k"),
        ("Home End", "first, last; also g G"),
        ("Enter", "one workload: its zones and its power over time"),
        ("Esc", "back; clears the filter; back to now"),
        ("/", "filter by name, path, namespace, kind, PID"),
        ("s S", "next order; reverse it"),
        ("P E C N", "by power, energy, CPU, name"),
        ("t", "tree or flat list"),
        ("x X", "fold what is selected; fold or unfold all"),
        ("a", "all workloads, or those that draw power"),
        ("u", "W and J, W and Wh, gCO2e, cost"),
        ("Space", "pause"),
        ("← → [ ]", "one moment (Shift: ten), a tenth of the chart back, forward"),
        ("+ -", "a shorter, longer time in the chart"),
        ("r", "reset the session's totals"),
        ("q Ctrl-C", "quit"),
    ],
    help_title: "Keys",
    marks: &[
        ("~", "estimated: see the error in the head"),
        ("*", "measured in part, the rest estimated"),
        ("blank", "not known; never zero"),
        ("<.001", "some, below a thousandth"),
    ],
};

static KOREAN: Words = Words {
    idle: "유휴",
    workloads: "워크로드",
    active: "활성",
    unattributed: "미귀속",
    name: "이름",
    kind: "종류",
    pid: "PID",
    measured: "측정",
    partial: "일부 측정",
    estimated: "추정",
    unknown: "알 수 없음",
    today: "오늘",
    session: "세션",
    since: "시작",
    known: "확인됨",
    measuring_here: "직접 측정 중",
    no_server: "서버 없음:",
    every: "주기",
    live: "실시간",
    paused: "일시 정지",
    stale: "오래됨",
    past: "과거",
    waiting: "값을 기다리는 중",
    first_power: "전력은 두 번째 측정부터 알 수 있습니다",
    nothing: "전력을 쓰는 워크로드가 없습니다. a: 모두 보기",
    nothing_fits: "필터에 맞는 것이 없습니다. Esc: 지우기",
    not_watched: "그때의 워크로드는 알 수 없습니다. 위의 값은 장비 전체입니다",
    asking_past: "그때의 워크로드를 조회하는 중",
    of: "/",
    ended: "종료되었거나 전력을 쓰지 않습니다",
    kinds: ["프로세스", "컨테이너", "파드", "VM", "유닛", "작업", "명령"],
    footer: &[
        ("?", "도움말"),
        ("q", "종료"),
        ("/", "필터"),
        ("s", "정렬"),
        ("t", "트리"),
        ("u", "단위"),
        ("Enter", "자세히"),
        ("Space", "정지"),
        ("←→", "시간"),
    ],
    footer_zoom: &[("Esc", "뒤로"), ("←→", "시간"), ("Space", "정지"), ("u", "단위"), ("?", "도움말"), ("q", "종료")],
    help: &[
        ("↑ ↓ PgUp PgDn", "선택 (j k)"),
        ("Home End", "처음, 끝 (g G)"),
        ("Enter", "워크로드 하나: 영역과 시간에 따른 전력"),
        ("Esc", "뒤로, 필터 지우기, 현재로"),
        ("/", "이름, 경로, 네임스페이스, 종류, PID로 필터"),
        ("s S", "다음 정렬 기준, 역순"),
        ("P E C N", "전력, 에너지, CPU, 이름으로 정렬"),
        ("t", "트리 또는 목록"),
        ("x X", "선택한 것 접기, 모두 접기 또는 펴기"),
        ("a", "모든 워크로드 또는 전력을 쓰는 것만"),
        ("u", "W와 J, W와 Wh, gCO2e, 비용"),
        ("Space", "일시 정지"),
        ("← → [ ]", "한 시점 (Shift: 열 시점), 그래프의 10분의 1만큼 이동"),
        ("+ -", "그래프의 시간을 짧게, 길게"),
        ("r", "세션 합계를 다시 시작"),
        ("q Ctrl-C", "종료"),
    ],
    help_title: "키",
    marks: &[
        ("~", "추정값: 오차는 머리줄에 있습니다"),
        ("*", "일부는 측정, 나머지는 추정"),
        ("빈칸", "알 수 없음. 0이 아닙니다"),
        ("<.001", "있지만 천분의 일 미만"),
    ],
};
