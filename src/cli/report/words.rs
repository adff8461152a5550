//! The words of a report, in each language.

use kepler_compliance::text::Lang;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Title,
    Summary,
    Energy,
    Facility,
    Location,
    Market,
    Cost,
    Idle,
    Workloads,
    Unattributed,
    Coverage,
    Missing,
    Method,
    Source,
    Grid,
    Total,
    Share,
    Course,
    Largest,
    Who,
    Name,
    Kind,
    Namespace,
    None,
    Others,
    Notes,
    Unknown,
    Platform,
}

/// How a figure came about, by its fixed name: `measured`, `estimated`, `published`, …
pub(super) fn how(name: &str, lang: Lang) -> &str {
    match (name, lang) {
        ("measured", Lang::Ko) => "측정",
        ("partial", Lang::Ko) => "일부 측정",
        ("estimated", Lang::Ko) => "추정",
        ("published", Lang::Ko) => "공표",
        ("assumed", Lang::Ko) => "가정",
        _ => name,
    }
}

pub(super) const fn word(word: Word, lang: Lang) -> &'static str {
    let (en, ko) = match word {
        Word::Title => ("Energy and carbon report", "에너지·탄소 보고서"),
        Word::Summary => ("Summary", "요약"),
        Word::Energy => ("IT energy", "IT 에너지"),
        Word::Facility => ("Facility energy", "시설 에너지"),
        Word::Location => ("Emissions, location-based", "배출량(위치 기반)"),
        Word::Market => ("Emissions, market-based", "배출량(시장 기반)"),
        Word::Cost => ("Cost", "비용"),
        Word::Idle => ("Idle", "유휴"),
        Word::Workloads => ("Workloads", "워크로드"),
        Word::Unattributed => ("Unattributed", "미귀속"),
        Word::Coverage => ("Time covered", "측정된 시간"),
        Word::Missing => ("Missing time", "누락된 시간"),
        Word::Method => ("Method", "방법"),
        Word::Source => ("Source", "출처"),
        Word::Grid => ("Grid and PUE", "전력망·PUE"),
        Word::Total => ("Total", "합계"),
        Word::Share => ("Share", "비중"),
        Word::Course => ("Power over time", "시간별 전력"),
        Word::Largest => ("Largest users", "최대 소비"),
        Word::Who => ("Who used it", "사용처"),
        Word::Name => ("Name", "이름"),
        Word::Kind => ("Kind", "종류"),
        Word::Namespace => ("Namespace", "네임스페이스"),
        Word::None => ("(none)", "(없음)"),
        Word::Others => ("others", "기타"),
        Word::Notes => ("Caveats", "유의 사항"),
        Word::Unknown => ("unknown", "알 수 없음"),
        Word::Platform => ("Whole machine", "시스템 전체"),
    };
    match lang {
        Lang::Ko => ko,
        _ => en,
    }
}
