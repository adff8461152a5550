//! Words of pages: headings, names of rows, states. JSON keeps its own names; sentences are the library's.

use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Instances, ListResponse};
use kepler_compliance::view::WorkloadKind;

/// A word or two of a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    AMonth,
    Asks,
    Carbon,
    Code,
    CouldBeSaved,
    Cost,
    Draft,
    Emissions,
    Force,
    Grid,
    InForce,
    Intensity,
    Kind,
    LeftOut,
    Month,
    Name,
    NeverInForce,
    No,
    Note,
    NoteOfRule,
    Now,
    Pieces,
    Power,
    Rank,
    Region,
    Saves,
    Source,
    Start,
    Status,
    Subject,
    Unknown,
    Where,
    Workload,
    Year,
    Yes,
    Zone,
}

impl Label {
    /// In a language.
    pub(super) const fn lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.english(),
            Lang::Ko => self.korean(),
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Label::AMonth => "a month",
            Label::Asks => "asks",
            Label::Carbon => "carbon",
            Label::Code => "code",
            Label::CouldBeSaved => "Could be saved in a month:",
            Label::Cost => "cost",
            Label::Draft => "draft",
            Label::Emissions => "emissions",
            Label::Force => "force",
            Label::Grid => "grid",
            Label::InForce => "in force",
            Label::Intensity => "intensity",
            Label::Kind => "kind",
            Label::LeftOut => "Left out:",
            Label::Month => "month, projected",
            Label::Name => "name",
            Label::NeverInForce => "not adopted, never in force",
            Label::No => "no",
            Label::Note => "Note:",
            Label::NoteOfRule => "note",
            Label::Now => "now",
            Label::Pieces => "pieces",
            Label::Power => "power",
            Label::Rank => "rank",
            Label::Region => "region",
            Label::Saves => "saves",
            Label::Source => "source",
            Label::Start => "start",
            Label::Status => "status",
            Label::Subject => "subject",
            Label::Unknown => "unknown",
            Label::Where => "where",
            Label::Workload => "workload",
            Label::Year => "year",
            Label::Yes => "yes",
            Label::Zone => "zone",
        }
    }

    const fn korean(self) -> &'static str {
        match self {
            Label::AMonth => "월간",
            Label::Asks => "요구 사항",
            Label::Carbon => "탄소",
            Label::Code => "코드",
            Label::CouldBeSaved => "월간 절감 가능:",
            Label::Cost => "비용",
            Label::Draft => "초안",
            Label::Emissions => "배출",
            Label::Force => "구속력",
            Label::Grid => "전력망",
            Label::InForce => "시행",
            Label::Intensity => "탄소집약도",
            Label::Kind => "종류",
            Label::LeftOut => "제외됨:",
            Label::Month => "월간 예측",
            Label::Name => "이름",
            Label::NeverInForce => "채택되지 않아 시행되지 않음",
            Label::No => "아니요",
            Label::Note => "유의 사항:",
            Label::NoteOfRule => "유의 사항",
            Label::Now => "지금",
            Label::Pieces => "구간 수",
            Label::Power => "전력",
            Label::Rank => "순위",
            Label::Region => "리전",
            Label::Saves => "절감",
            Label::Source => "출처",
            Label::Start => "시작",
            Label::Status => "판정",
            Label::Subject => "대상",
            Label::Unknown => "알 수 없음",
            Label::Where => "적용 지역",
            Label::Workload => "워크로드",
            Label::Year => "연도",
            Label::Yes => "예",
            Label::Zone => "구역",
        }
    }

    /// As the heading of a column.
    pub(super) fn heading(self, lang: Lang) -> String {
        self.lang(lang).to_uppercase()
    }
}

/// What a workload is.
pub(super) fn kind(kind: WorkloadKind, lang: Lang) -> &'static str {
    match (lang, kind.name()) {
        (Lang::Ko, "pod") => "파드",
        (Lang::Ko, "container") => "컨테이너",
        (Lang::Ko, "deployment") => "디플로이먼트",
        (Lang::Ko, "statefulset") => "스테이트풀셋",
        (Lang::Ko, "daemonset") => "데몬셋",
        (Lang::Ko, "job") => "작업",
        (Lang::Ko, "unit") => "유닛",
        (Lang::Ko, "vm") => "가상 머신",
        (Lang::Ko, "process") => "프로세스",
        (_, name) => name,
    }
}

/// How many instances there are.
pub(super) fn instances(instances: Instances, lang: Lang) -> String {
    let Instances { running, terminated } = instances;
    match lang {
        Lang::En => format!("{running} running, {terminated} ended"),
        Lang::Ko => format!("실행 중 {running}, 종료 {terminated}"),
    }
}

/// A limit and how far a value is from it.
pub(super) fn limit(limit: &str, gap_percent: f64, lang: Lang) -> String {
    match lang {
        Lang::En => format!("limit {limit}, gap {gap_percent:+.1} %"),
        Lang::Ko => format!("기준 {limit}, 차이 {gap_percent:+.1} %"),
    }
}

/// A first and a last day.
pub(super) fn period(from: &str, to: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("{from} to {to}"),
        Lang::Ko => format!("{from} ~ {to}"),
    }
}

/// How many workloads are shown, and how they are judged.
pub(super) fn counts(answer: &ListResponse, lang: Lang) -> String {
    let (counts, shown) = (&answer.counts, answer.workloads.len());
    let (yes, no) = (counts.compliant, counts.non_compliant);
    let (other, unknown) = (counts.not_applicable, counts.insufficient_data);
    let ListResponse { total, standard, region, .. } = answer;
    match lang {
        Lang::En => format!(
            "{shown} of {total}; {yes} compliant, {no} non-compliant, {other} not applicable, {unknown} insufficient data ({standard}, {region})"
        ),
        Lang::Ko => format!(
            "{total}개 중 {shown}개; 충족 {yes}, 미충족 {no}, 해당 없음 {other}, 데이터 부족 {unknown} ({standard}, {region})"
        ),
    }
}
