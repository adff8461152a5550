//! Korean: verdicts and the sources of their figures.

use super::LANG;
use super::particle::{subject, topic};
use crate::numbers::{apart, figure};
use crate::standards::{
    Basis, Condition, FigureSource, Limit, Metric, OPERATION_START, Requirement, RuleSubject, ScopeMessage, Threshold,
    VerdictMessage, name_of, stated_by,
};

pub(super) fn figure_source(source: &FigureSource) -> String {
    match source {
        FigureSource::Named(name) => name.clone(),
        FigureSource::Stated => "설정에 명시됨".to_owned(),
        FigureSource::SiteFacts => "시설에 대해 명시됨".to_owned(),
        FigureSource::Region(region) => format!("{region}의 값"),
        FigureSource::Target => "목표값".to_owned(),
        FigureSource::GridAndPue { grid, grid_source, pue, pue_source, .. } => format!(
            "전력망 {} g/kWh ({}), PUE {} ({})",
            figure(*grid),
            figure_source(grid_source),
            figure(*pue),
            figure_source(pue_source)
        ),
        FigureSource::MeanPower => "기간 평균 전력".to_owned(),
        FigureSource::Chosen { origin, place } => format!("{place}의 {}", super::choices::origin(*origin)),
        FigureSource::ProjectedEnergy => "기간 에너지의 월간 환산".to_owned(),
    }
}

fn scope(message: &ScopeMessage) -> String {
    use ScopeMessage as M;
    match message {
        M::CountryTarget { code } => {
            format!("{} 국가 목표로, 개별 시설이나 워크로드에 적용되지 않습니다.", topic(code))
        }
        M::Draft { code } => format!("{} 초안입니다.", topic(code)),
        M::NotYetInForce { code } => format!("{} 제정되었으나 아직 시행되지 않았습니다.", topic(code)),
        M::AppliesIf { requirements } => {
            let all: Vec<String> = requirements.iter().map(|own| requirement(own, None)).collect();
            format!("적용 조건: {}.", all.join(", "))
        }
        M::FactsMissing { code, missing } => {
            let missing: Vec<String> = missing.iter().map(|fact| requirement(fact, Some(code))).collect();
            format!("{} 다음 조건에서만 적용되나 시설에 대해 명시되지 않았습니다: {}.", topic(code), missing.join(", "))
        }
        M::ConditionFails { code, condition: what, holds } => {
            format!("{} 적용되지 않습니다. 명시된 사실: {}.", topic(code), condition(*what, *holds))
        }
        M::DeclaredNotApplicable { code } => format!("{} 적용되지 않는 것으로 명시되었습니다.", topic(code)),
        M::NotInForce { code, date, from, to } => {
            let day = |day: &Option<jiff::civil::Date>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
            format!("{} {date}에 시행 중이 아닙니다 (시행 기간 {} ~ {}).", topic(code), day(from), day(to))
        }
        M::OtherCountry { code, jurisdiction, country } => {
            format!("{} {jurisdiction}에서 적용되며 {country}에는 적용되지 않습니다.", topic(code))
        }
        M::OtherSubject { code, speaks_of, asked } => {
            format!("{} {} 예산이며, 주어진 배출량은 {}의 것입니다.", topic(code), whose(*speaks_of), whose(*asked))
        }
        M::StartOutside { code, start } => format!("{} {start}에 가동한 시설에 적용되지 않습니다.", topic(code)),
        M::NotDue { code, due } => format!("{} 이 시설에 {due}부터 적용됩니다.", topic(code)),
        M::TooSmall { code, metric: size, value } => {
            format!("{} {}에서는 {} 적용되지 않습니다.", metric(*size), quantity(&figure(*value), *size), subject(code))
        }
    }
}

/// What a site must be for a rule to apply, with the name to state it by.
fn requirement(required: &Requirement, code: Option<&str>) -> String {
    match required {
        Requirement::Start(start) => {
            let from = start.from.map(|day| format!("{day} 이후"));
            let bounds: Vec<String> = from.into_iter().chain(start.before.map(|day| format!("{day} 이전"))).collect();
            format!("가동 개시일 {} ({OPERATION_START})", bounds.join(", "))
        }
        Requirement::Size(Threshold { metric: of, at_least, more_than }) => {
            let least = at_least.map(|figure| ("이상", figure));
            let bounds = least.into_iter().chain(more_than.map(|figure| ("초과", figure)));
            let bounds: Vec<String> =
                bounds.map(|(sign, bound)| format!("{} {sign}", quantity(&figure(bound), *of))).collect();
            format!("{} {} ({})", metric(*of), bounds.join(", "), name_of(*of))
        }
        Requirement::Condition(what, holds) => format!("{} ({})", condition(*what, *holds), what.name()),
        Requirement::Words(words) => {
            let by = code.map_or_else(String::new, |code| format!(" (applicable 또는 not_applicable: {code})"));
            format!("{}{by}", words.ko.trim_end_matches('.'))
        }
    }
}

const fn condition(condition: Condition, holds: bool) -> &'static str {
    match (condition, holds) {
        (Condition::CoolClimate, true) => "서늘한 기후",
        (Condition::CoolClimate, false) => "서늘하지 않은 기후",
        (Condition::WaterStress, true) => "물 부족 지역",
        (Condition::WaterStress, false) => "물 부족 지역이 아님",
        (Condition::PotableWater, true) => "음용수로 냉각",
        (Condition::PotableWater, false) => "음용수로 냉각하지 않음",
        (Condition::LargeDataCentre, true) => "대형 또는 초대형 데이터센터",
        (Condition::LargeDataCentre, false) => "대형·초대형이 아닌 데이터센터",
        (Condition::AiDataCentre, true) => "인공지능 데이터센터",
        (Condition::AiDataCentre, false) => "인공지능 데이터센터가 아님",
    }
}

pub(super) fn verdict(message: &VerdictMessage) -> String {
    use VerdictMessage as M;
    match message {
        M::Scope(message) => scope(message),
        M::Bound { metric: of, value, limit, is_met } => {
            let sign = match limit {
                Limit::AtMost(_) => "이하",
                Limit::Below(_) => "미만",
                Limit::AtLeast(_) => "이상",
            };
            let is = if *is_met { "충족합니다" } else { "충족하지 못합니다" };
            let (value, bound) = apart(*value, limit.value());
            let (value, bound) = (quantity(&value, *of), quantity(&bound, *of));
            format!("{} {value}, 기준 {bound} {sign}를 {is}.", metric(*of))
        }
        M::Declared => "의무 이행은 측정이 아니라 신고된 사항입니다.".to_owned(),
        M::StatedFacts { start, conditions } => {
            let start = start.map(|day| format!("가동 개시일 {day}"));
            let conditions = conditions.iter().map(|(what, holds)| condition(*what, *holds).to_owned());
            let stated: Vec<String> = start.into_iter().chain(conditions).collect();
            format!("측정이 아니라 시설에 대해 명시된 사실: {}.", stated.join(", "))
        }
        M::DutyFulfilled { duty } => format!("의무가 적용되며 이행한 것으로 신고됨: {}", duty.lang(LANG)),
        M::DutyOpen { duty } => {
            format!("의무가 적용되나 이행 여부가 명시되지 않았습니다(fulfilled): {}", duty.lang(LANG))
        }
        M::BelowDuty { metric: of, at_least } => {
            format!("기준 {} 미만으로 의무가 없습니다.", quantity(&figure(*at_least), *of))
        }
        M::Unknown { metric: of } => format!("{} 값이 없습니다{}.", metric(*of), stated_by(*of)),
        M::AllReported { metrics } => {
            let names: Vec<&str> = metrics.iter().map(|of| metric(*of)).collect();
            format!("모든 지표가 있으며 기준을 충족합니다: {}.", names.join(", "))
        }
        M::NotMeasured { metric: of, source: FigureSource::SiteFacts, .. } => {
            format!("{} 측정값이 아니라 시설에 대해 명시된 값입니다.", topic(metric(*of)))
        }
        M::NotMeasured { metric: of, basis, source } => {
            let part = match source {
                FigureSource::GridAndPue { grid_basis, pue_basis, .. } if grid_basis.is_sound() => {
                    Some(("PUE", *pue_basis))
                }
                FigureSource::GridAndPue { grid_basis, pue_basis, .. } if pue_basis.is_sound() => {
                    Some(("전력망 탄소집약도", *grid_basis))
                }
                _ => None,
            };
            let (of, source) = (metric(*of), figure_source(source));
            match part {
                Some((part, part_basis)) => format!("{of}의 {} {}입니다 ({source}).", topic(part), is(part_basis)),
                None => format!("{} {}입니다 ({source}).", topic(of), is(*basis)),
            }
        }
        M::Impossible { metric: of, value } => {
            format!("{} {} 불가능한 값이므로 사용하지 않았습니다.", metric(*of), topic(figure(*value)))
        }
        M::NoEnergy => "해당 기간에 이 워크로드의 에너지 데이터가 없습니다.".to_owned(),
        M::Note(text) => text.lang(LANG).to_owned(),
    }
}

const fn is(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "측정값",
        Basis::Published => "측정값이 아닌 공표값",
        Basis::Partial => "일부는 측정되고 나머지는 추정된 값",
        Basis::Estimated => "측정값이 아닌 추정값",
        Basis::Assumed => "측정값이 아닌 가정값",
    }
}

/// A value with its unit.
fn quantity(value: &str, metric: Metric) -> String {
    format!("{value} {}", metric.unit()).trim_end().to_owned()
}

const fn whose(subject: RuleSubject) -> &'static str {
    match subject {
        RuleSubject::Workload => "워크로드",
        RuleSubject::Namespace => "네임스페이스",
        RuleSubject::Node => "노드",
        RuleSubject::Facility => "시설",
        RuleSubject::Operator => "사업자",
        RuleSubject::Country => "국가",
    }
}

const fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::CarbonIntensity => "실효 탄소집약도",
        Metric::Pue => "연간 PUE",
        Metric::DesignPue25PercentLoad => "IT 부하 25% 설계 PUE",
        Metric::EmissionsPerHour => "시간당 배출량",
        Metric::EmissionsPerMonth => "월간 배출량",
        Metric::AnnualEnergyToe => "연간 에너지 사용량",
        Metric::AnnualFuelToe => "연간 연료 사용량",
        Metric::AnnualEnergyMwh => "연간 전력 사용량",
        Metric::AnnualCrudeOilKl => "연간 원유환산 사용량",
        Metric::AnnualTco2e => "연간 배출량",
        Metric::ContractPowerMw => "계약전력",
        Metric::ConnectionKw => "수전 용량",
        Metric::InstalledItKw => "IT 설치 전력",
        Metric::WueLitresPerKwh => "WUE",
        Metric::ErfPercent => "에너지 재사용 비율(ERF)",
        Metric::RefPercent => "재생에너지 비율(REF)",
        Metric::RenewablePercent => "재생 전력 비율",
        Metric::CarbonFreePercent => "무탄소 에너지 비율",
        Metric::GhgReductionVs2018Percent => "2018년 대비 감축률",
    }
}
