//! Korean.

use super::{Part, Phrase, Word};
use kepler_compliance::numbers::change;

pub(super) const fn word(word: Word) -> &'static str {
    match word {
        Word::Workload => "워크로드",
        Word::Status => "판정",
        Word::Carbon => "탄소",
        Word::Pue => "PUE",
        Word::Assumed => "가정",
        Word::Region => "리전",
        Word::Power => "전력",
        Word::Emissions => "배출",
        Word::Co2e => "CO2e",
        Word::MonthProjected => "월간 예측",
        Word::SavingsInAMonth => "월간 절감 가능:",
        Word::Note => "유의 사항:",
        Word::LeftOut => "제외:",
        Word::Kind => "종류",
        Word::Rank => "순위",
        Word::EffectiveIntensity => "g/kWh×PUE",
        Word::GridIntensity => "전력망",
        Word::Year => "연도",
        Word::Saves => "절감률",
        Word::SavedInAMonth => "월간 절감",
        Word::Zone => "전력망 구역",
        Word::Start => "시작",
        Word::Now => "지금",
        Word::Intensity => "탄소집약도",
        Word::Cost => "비용",
        Word::Pieces => "구간 수",
        Word::Code => "코드",
        Word::Where => "적용 지역",
        Word::Force => "구속력",
        Word::Subject => "대상",
        Word::InForce => "시행",
        Word::Name => "이름",
        Word::Asks => "요구 사항",
        Word::Source => "출처",
        Word::Draft => "초안",
        Word::Passed => "통과",
        Word::Verified => "확인",
        Word::Applies => "적용",
        Word::Unknown => "알 수 없음",
        Word::Yes => "예",
        Word::No => "아니요",
    }
}

pub(super) fn phrase(phrase: &Phrase<'_>) -> String {
    match phrase {
        Phrase::Instances { kind, running, ended } => format!("{kind}, 실행 중 {running}, 종료 {ended}"),
        Phrase::Limit { limit, gap_percent } => format!("한도 {limit}, 차이 {} %", change(*gap_percent)),
        Phrase::Part { part, watts } => match part {
            Part::Cpu => format!("CPU {watts}"),
            Part::Memory => format!("메모리 {watts}"),
            Part::Gpu => format!("GPU {watts}"),
        },
        Phrase::Listed { shown, total, counts } => format!(
            "전체 {total}개 중 {shown}개; 준수 {}, 미준수 {}, 해당 없음 {}, 자료 부족 {}",
            counts.compliant, counts.non_compliant, counts.not_applicable, counts.insufficient_data
        ),
        Phrase::Period { from, to } => format!("{from} ~ {to}"),
        Phrase::NotAdopted => "채택되지 않아 시행된 적이 없음".to_owned(),
        Phrase::NotVerifiedSince => "작성 이후 재확인 없음".to_owned(),
        Phrase::NotInForceYet => "채택되었으나 아직 시행 전".to_owned(),
    }
}
