//! The words of the report, in each language.

use kepler_compliance::text::Lang;

/// A word of the report. Python's `kepler-power measure` uses the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Energy,
    AboveBaseline,
    Power,
    Duration,
    CpuTime,
    Machine,
    Carbon,
    Cost,
    Method,
    Followed,
    Baseline,
    Grid,
    Difference,
    IdleExcluded,
    IdleIncluded,
    Mean,
    Interval,
    Range,
    Runs,
    Unknown,
    Unresolved,
}

pub(super) const fn word(word: Word, lang: Lang) -> &'static str {
    let (en, ko) = match word {
        Word::Energy => ("energy", "에너지"),
        Word::AboveBaseline => ("above baseline", "기준 초과분"),
        Word::Power => ("power", "전력"),
        Word::Duration => ("duration", "시간"),
        Word::CpuTime => ("CPU time", "CPU 시간"),
        Word::Machine => ("machine", "호스트"),
        Word::Carbon => ("carbon", "탄소"),
        Word::Cost => ("cost", "비용"),
        Word::Method => ("method", "방법"),
        Word::Followed => ("followed by", "추적"),
        Word::Baseline => ("baseline", "기준"),
        Word::Grid => ("grid", "전력망"),
        Word::Difference => ("difference", "차이"),
        Word::IdleExcluded => ("idle left out", "유휴 제외"),
        Word::IdleIncluded => ("idle included", "유휴 포함"),
        Word::Mean => ("mean ± deviation", "평균 ± 표준편차"),
        Word::Interval => ("95 % of the mean", "평균의 95 % 구간"),
        Word::Range => ("min … max", "최소 … 최대"),
        Word::Runs => ("runs", "회 실행"),
        Word::Unknown => ("unknown", "알 수 없음"),
        Word::Unresolved => ("unknown: not resolvable", "알 수 없음: 분해능 미만"),
    };
    match lang {
        Lang::Ko => ko,
        _ => en,
    }
}
