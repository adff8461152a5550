//! Korean.

pub(super) mod errors;

use super::{
    AssessmentMessage, EnergyMessage, FacilityMessage, HotspotMessage, Message, MigrationMessage, PueMessage,
    RegionMessage, ScheduleMessage, ShiftMessage, SizingMessage, SummaryMessage, TargetPue, TrendMessage,
};
use crate::intensity::{AccountingMethod, SeriesBasis, lasting};
use crate::numbers::{apart, figure, percent};
use crate::schedule::{JobError, ScheduleError};
use crate::standards::{
    Basis, Condition, FigureSource, Limit, Metric, OPERATION_START, Requirement, ScopeMessage, Subject, Threshold,
    VerdictMessage, name_of, stated_by,
};
use crate::text::Lang;
use crate::view::NoDataReason;
use std::time::Duration;

const LANG: Lang = Lang::Ko;

pub(super) fn render(message: &Message) -> String {
    match message {
        Message::Text(text) => text.lang(LANG).to_owned(),
        Message::Verbatim(text) => text.clone(),
        Message::Energy(message) => energy(message),
        Message::Facility(message) => facility(message),
        Message::Verdict(message) => verdict(message),
        Message::Source(source) => figure_source(source),
        Message::Pue(message) => pue(message),
        Message::Sizing(message) => sizing(message),
        Message::Migration(message) => migration(message),
        Message::Shift(message) => shift(message),
        Message::Assessment(message) => assessment(message),
        Message::Hotspot(message) => hotspot(message),
        Message::Region(message) => region(message),
        Message::Schedule(message) => schedule(message),
        Message::Trend(message) => trend(message),
        Message::Summary(message) => summary(message),
    }
}

fn energy(message: &EnergyMessage) -> String {
    use EnergyMessage as M;
    match message {
        M::Estimated { error_ratio } => {
            format!("에너지는 실측이 아닌 모델 추정값이며, 예상 오차는 ±{} %(1σ)입니다.", percent(error_ratio * 100.0))
        }
        M::Partial { error_ratio } => format!(
            "에너지는 일부만 실측되었으며 읽을 수 없는 부분은 나머지로부터 추정했습니다. 전체의 예상 오차는 ±{} %(1σ)입니다.",
            percent(error_ratio * 100.0)
        ),
        M::Coverage { ratio, covered } => format!(
            "수치는 요청한 기간과 노드의 {} %만 포함합니다 (측정 시간 {}초).",
            percent(ratio * 100.0),
            figure(covered.as_secs_f64())
        ),
        M::Stale { age } => format!(
            "가장 최근 측정이 {}초 전이며 이후 측정이 없습니다. 현재가 아니라 그 시점의 상태입니다.",
            figure(age.as_secs_f64())
        ),
        M::LeftOut { what, reason } => format!("{what} 제외됨: {reason}"),
        M::OthersLeftOut { count } => format!("그 외 {count}개가 제외되었습니다."),
        M::NoData { origin, range, reason } => {
            format!("{origin}에 {}부터 {}까지의 에너지 데이터가 없습니다: {}", range.start, range.end, no_data(reason))
        }
        M::NotRunning => "더 이상 실행 중이 아니므로 에너지만 있고 전력은 없습니다.".to_owned(),
        M::Unassigned { percent: share } => {
            format!("노드 에너지의 {} %는 유휴 또는 미귀속으로, 어떤 워크로드에도 부과되지 않습니다.", percent(*share))
        }
        M::CostByHours { tariff, mean, currency, percent: priced } => format!(
            "월간 비용: 앞으로 730시간의 요금제 {tariff} 평균 {} {currency}/kWh, 작업이 모든 시간에 고르게 실행된다고 가정. \
             이 시간의 {} %에 단가가 있으며 전체를 대표합니다.",
            figure(*mean),
            percent(*priced)
        ),
        M::CostUnknown { tariff, percent: priced } => {
            format!("월간 비용 없음: 요금제 {tariff}에는 앞으로 730시간 중 {} %에만 단가가 있습니다.", percent(*priced))
        }
        M::InferredPods { controller } => {
            format!("{controller}에 속한 파드는 Kubernetes 조회 없이 이름으로 추정했습니다.")
        }
    }
}

fn no_data(reason: &NoDataReason) -> String {
    match reason {
        NoDataReason::NoSnapshot => "아직 측정된 값이 없습니다. 측정 주기가 두 번 지난 뒤 다시 시도하세요.".to_owned(),
        NoDataReason::NoTwoSnapshots => {
            "에너지는 두 번째 측정부터 알 수 있고, 보관된 기간까지만 조회할 수 있습니다.".to_owned()
        }
        NoDataReason::NoSuchSubject => "해당 기간에 그런 워크로드, 노드 또는 네임스페이스가 없습니다.".to_owned(),
        NoDataReason::NotRecorded { file } => {
            format!("기록이 없습니다. 다른 기간을 지정하거나 {file}에 계속 기록하세요.")
        }
        NoDataReason::SubjectNotRecorded { file } => {
            format!("이 대상의 기록이 없습니다. 다른 기간을 지정하거나 {file}에 계속 기록하세요.")
        }
        NoDataReason::NoSource => "에너지 데이터의 출처가 지정되지 않았습니다.".to_owned(),
        NoDataReason::Other(reason) => reason.clone(),
    }
}

fn facility(message: &FacilityMessage) -> String {
    use FacilityMessage as M;
    match message {
        M::RegionAssumed { region } => {
            format!("리전이 설정되지 않아 {region}로 가정했습니다. 설정(facility.region)에 리전을 지정하세요.")
        }
        M::YearlyAverageUsed { error } => {
            format!("다음 이유로 내장 연평균 값을 사용했습니다: {}", render(error))
        }
        M::IntensityUnknown { zone, error } => format!(
            "{zone}의 전력 탄소집약도를 알 수 없습니다: {} 설정(carbon.grid_intensity)에 지정하세요.",
            render(error)
        ),
        M::NoIntensityZone { origin, zone, known } => {
            format!("{origin}에 `{zone}` 구역의 데이터가 없습니다. 있는 구역: {}.", known.join(", "))
        }
        M::NoIntensityThen { origin, zone, from, to } => {
            format!("{origin}에 `{zone}` 구역의 {from}부터 {to}까지 탄소집약도가 없습니다.")
        }
        M::StaleIntensity { origin, zone, ended, age, validity } => format!(
            "{origin}의 `{zone}` 구역 데이터가 오래되었습니다: 최신 값은 {ended}에 끝났고 {} 지났으며 {}까지만 쓸 수 있습니다.",
            lasting(*age),
            lasting(*validity)
        ),
        M::IntensityBeginsLater { origin, zone, start } => {
            format!("{origin}에 {start} 이전의 `{zone}` 구역 탄소집약도가 없습니다.")
        }
        M::NoPublishedPue { region } => {
            format!("{region}의 공표 PUE가 없습니다. 설정(facility.pue)에 지정하세요.")
        }
    }
}

fn figure_source(source: &FigureSource) -> String {
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
        FigureSource::ProjectedEnergy => "기간 에너지의 월간 환산".to_owned(),
    }
}

fn scope(message: &ScopeMessage) -> String {
    use ScopeMessage as M;
    match message {
        M::CountryTarget { code } => {
            format!("{code}은(는) 국가 목표로, 개별 시설이나 워크로드에 적용되지 않습니다.")
        }
        M::Draft { code } => format!("{code}은(는) 초안입니다."),
        M::NotYetInForce { code } => format!("{code}은(는) 제정되었으나 아직 시행되지 않았습니다."),
        M::AppliesIf { requirements } => {
            let all: Vec<String> = requirements.iter().map(|own| requirement(own, None)).collect();
            format!("적용 조건: {}.", all.join(", "))
        }
        M::FactsMissing { code, missing } => {
            let missing: Vec<String> = missing.iter().map(|fact| requirement(fact, Some(code))).collect();
            format!("{code}은(는) 다음 조건에서만 적용되나 시설에 대해 명시되지 않았습니다: {}.", missing.join(", "))
        }
        M::ConditionFails { code, condition: what, holds } => {
            format!("{code}은(는) 적용되지 않습니다. 명시된 사실: {}.", condition(*what, *holds))
        }
        M::DeclaredNotApplicable { code } => format!("{code}은(는) 적용되지 않는 것으로 명시되었습니다."),
        M::NotInForce { code, date, from, to } => {
            let day = |day: &Option<jiff::civil::Date>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
            format!("{code}은(는) {date}에 시행 중이 아닙니다 (시행 기간 {} ~ {}).", day(from), day(to))
        }
        M::OtherCountry { code, jurisdiction, country } => {
            format!("{code}은(는) {jurisdiction}에서 적용되며 {country}에는 적용되지 않습니다.")
        }
        M::OtherSubject { code, speaks_of, asked } => {
            format!("{code}은(는) {} 예산이며, 주어진 배출량은 {}의 것입니다.", subject(*speaks_of), subject(*asked))
        }
        M::StartOutside { code, start } => format!("{code}은(는) {start}에 가동한 시설에 적용되지 않습니다."),
        M::NotDue { code, due } => format!("{code}은(는) 이 시설에 {due}부터 적용됩니다."),
        M::TooSmall { code, metric: size, value } => {
            format!("{} {}에서는 {code}이(가) 적용되지 않습니다.", metric(*size), quantity(&figure(*value), *size))
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

fn verdict(message: &VerdictMessage) -> String {
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
            format!("{}은(는) 측정값이 아니라 시설에 대해 명시된 값입니다.", metric(*of))
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
                Some((part, part_basis)) => format!("{of}의 {part}은(는) {}입니다 ({source}).", is(part_basis)),
                None => format!("{of}은(는) {}입니다 ({source}).", is(*basis)),
            }
        }
        M::Impossible { metric: of, value } => {
            format!("{} {}은(는) 불가능한 값이므로 사용하지 않았습니다.", metric(*of), figure(*value))
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

const fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Workload => "워크로드",
        Subject::Namespace => "네임스페이스",
        Subject::Node => "노드",
        Subject::Facility => "시설",
        Subject::Operator => "사업자",
        Subject::Country => "국가",
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

fn target(target: &TargetPue) -> &str {
    match target {
        TargetPue::Request => "요청값",
        TargetPue::Standard { code } => code,
    }
}

fn pue(message: &PueMessage) -> String {
    use PueMessage as M;
    match message {
        M::Unknown => "PUE를 알 수 없습니다.".to_owned(),
        M::NoTarget => "목표 PUE가 없습니다.".to_owned(),
        M::Reached { current, target: aim, whose } => {
            format!("PUE {}는 이미 {} ({}) 이하입니다.", figure(*current), figure(*aim), target(whose))
        }
        M::Lower { current, target } => format!(
            "시설 PUE를 {}에서 {}(으)로 낮춥니다 (냉각, 기류, 전력 공급 개선).",
            figure(*current),
            figure(*target)
        ),
        M::LowerBasis { current, target: aim, whose } => format!(
            "현재 PUE {}, 목표 {} ({}). 배출량은 PUE에 비례합니다.",
            figure(*current),
            figure(*aim),
            target(whose)
        ),
    }
}

fn sizing(message: &SizingMessage) -> String {
    use SizingMessage as M;
    match message {
        M::RequestsUnknown => {
            "요청 자원(requests)을 알 수 없습니다 (이 소스는 Kubernetes 요청값을 제공하지 않음).".to_owned()
        }
        M::CpuTimeUnknown => "해당 기간의 CPU 사용 시간을 알 수 없습니다.".to_owned(),
        M::RequestsFit { needed, requested } => {
            format!("요청한 만큼 사용 중입니다: {requested:.2} 코어 중 {needed:.2} 코어 (99 백분위).")
        }
        M::PowerUnknown => "노드의 유휴 전력 또는 워크로드 전력을 알 수 없습니다.".to_owned(),
        M::LowerRequests { needed, requested } => {
            let freed = requested - needed;
            format!("요청량을 {requested:.2}에서 {needed:.2} 코어로 줄여 {freed:.2} 코어의 유휴를 없앱니다.")
        }
        M::LowerRequestsBasis { steps, idle_watts, cores, saved_watts, own_watts } => format!(
            "측정된 CPU 시간 {steps}구간의 99 백분위. 노드 {}코어의 유휴 전력 {} W 중 {} W를 계상하며 워크로드 전력 {} W를 \
             넘지 않습니다. 실제 장비가 비워질 때만 절감됩니다.",
            figure(*cores),
            figure(*idle_watts),
            figure(*saved_watts),
            figure(*own_watts)
        ),
    }
}

fn migration(message: &MigrationMessage) -> String {
    use MigrationMessage as M;
    match message {
        M::CurrentUnknown => "현재 탄소집약도 또는 PUE를 알 수 없습니다.".to_owned(),
        M::NoRegion => "비교할 리전이 없습니다.".to_owned(),
        M::NotComparable { region, reason } => format!("{region}: {}", render(reason)),
        M::NoneLower { margin_percent, region, there, here } => format!(
            "{} % 넘게 낮은 리전이 없습니다: {region}은(는) {} g/kWh, 현재 {} g/kWh.",
            figure(*margin_percent),
            figure(*there),
            figure(*here)
        ),
        M::Move { region, zone, there, here } => {
            format!("{region} ({zone})(으)로 이전: IT 전력 1 kWh당 {} g 대신 {} g.", figure(*here), figure(*there))
        }
        M::MoveBasis { grid, source, pue, caveats } => {
            let (grid, source, pue) = (figure(*grid), figure_source(source), figure(*pue));
            let basis = format!("탄소집약도 {grid} g/kWh ({source}), PUE {pue}.");
            std::iter::once(basis).chain(caveats.iter().map(render)).collect::<Vec<_>>().join(" ")
        }
    }
}

fn shift(message: &ShiftMessage) -> String {
    use ShiftMessage as M;
    match message {
        M::NoForecast { error } => format!("탄소집약도 예측이 없습니다: {}", render(error)),
        M::YearlyOnly => "연평균 탄소집약도만 알려져 있어 언제 실행할지 판단할 수 없습니다.".to_owned(),
        M::NoPlan { error } => render(error),
        M::NowUnknown => "현재 탄소집약도를 알 수 없습니다.".to_owned(),
        M::NowIsCleanest => "앞으로 24시간 중 지금이 가장 깨끗한 시간입니다.".to_owned(),
        M::RunLater { start, then, now } => {
            format!("지연 가능하다면 {start}부터 실행하세요: {} 대신 {} g/kWh.", figure(*now), figure(*then))
        }
        M::RunLaterBasis { zone, basis, source } => {
            let basis = match basis {
                SeriesBasis::Profile => "전형적인 하루 프로필",
                SeriesBasis::Forecast => "예측값",
                SeriesBasis::Observed => "관측값",
                SeriesBasis::YearlyAverage => "연평균",
            };
            format!("향후 24시간 {zone} 탄소집약도는 {source}의 {basis}이며, 작업 전체를 옮길 수 있다고 봅니다.")
        }
    }
}

fn assessment(message: &AssessmentMessage) -> String {
    use AssessmentMessage as M;
    match message {
        M::IntensityOnly => {
            "이 탄소 기준은 kWh당 전력망과 시설을 평가하며, 워크로드의 사용량과는 무관합니다.".to_owned()
        }
        M::NoFigures => {
            "해당 기간의 에너지 데이터가 아직 없습니다. 더 오래 측정하거나 다른 기간을 지정하세요.".to_owned()
        }
        M::NoAction => "기준을 지키기 위해 필요한 조치는 없습니다.".to_owned(),
        M::LargestSaving { percent: share, advice } => {
            format!("가장 큰 절감(최대 {} %): {}", percent(*share), render(advice))
        }
        M::Projection => "이후 값은 예측이며, 각 감축량은 범위와 근거가 있는 추정치입니다.".to_owned(),
    }
}

fn hotspot(message: &HotspotMessage) -> String {
    use HotspotMessage as M;
    match message {
        M::MostlyGpu { percent: share } => format!("에너지의 {} %를 GPU가 사용합니다.", percent(*share)),
        M::LookAtGpu => "GPU 사용률을 확인하세요: 배치 크기 확대, 전력 제한 하향 또는 반납을 검토합니다.".to_owned(),
        M::MostlyMemory { percent: share } => format!("에너지의 {} %를 메모리가 사용합니다.", percent(*share)),
        M::LookAtMemory => "메모리 접근을 확인하세요: 데이터 배치, 캐시, 대형 페이지를 검토합니다.".to_owned(),
        M::Instances { count, cores, percent: share } => {
            format!("{count}개 인스턴스가 {} 코어, 워크로드 전력의 {} %를 사용합니다.", figure(*cores), percent(*share))
        }
        M::LookAtInstances => {
            "부하와 비교하세요: 더 적고 꽉 찬 인스턴스가 유리하며, 가장 바쁜 인스턴스를 프로파일링합니다.".to_owned()
        }
        M::Cores { cores, percent: share } => {
            format!("{} 코어, 워크로드 전력의 {} %를 사용합니다.", figure(*cores), percent(*share))
        }
        M::LookAtCores => "CPU 시간을 프로파일링하고, 미룰 수 있는 작업이면 더 깨끗한 시간대로 예약하세요.".to_owned(),
        M::Power { watts, percent: share } => {
            format!("{} W, 워크로드 전력의 {} %를 사용합니다.", figure(*watts), percent(*share))
        }
        M::LookAtNode => "이 소스에는 CPU 시간이 없으므로 해당 노드에서 프로파일링하세요.".to_owned(),
        M::Remainder { others, others_watts, unlisted_watts, unattributed_watts } => {
            let mut parts = Vec::new();
            if *others > 0 {
                parts.push(format!("다른 워크로드 {others}개 {} W", figure(*others_watts)));
            }
            if let Some(watts) = unlisted_watts {
                parts.push(format!("목록의 워크로드에 속하지 않는 작업 {} W", figure(*watts)));
            }
            if let Some(watts) = unattributed_watts {
                parts.push(format!("귀속되지 않은 활성 전력 {} W", figure(*watts)));
            }
            format!("목록에 없음: {}.", parts.join("; "))
        }
    }
}

fn region(message: &RegionMessage) -> String {
    use RegionMessage as M;
    match message {
        M::ComparedBy { method } => format!(
            "모든 리전을 {} 수치로 비교했습니다. 현재 리전의 산정 방법보다 공표된 수치가 많습니다.",
            method.name().ko
        ),
        M::OtherMethod { method } => {
            let method = match method {
                AccountingMethod::Direct => "직접 배출",
                AccountingMethod::Lifecycle => "전과정 배출",
            };
            format!("현재 리전과 같은 산정 방법({method})의 공표 수치가 없습니다")
        }
        M::NoFigure => "공표된 탄소집약도가 없습니다".to_owned(),
        M::PueAssumed { region, pue } => {
            format!("{region}의 공표 PUE가 없어 현재 시설의 {}로 가정했습니다.", figure(*pue))
        }
        M::CurrentUnknown => "현재 리전의 전력 탄소집약도를 알 수 없어 비교할 수 없습니다.".to_owned(),
        M::WithoutPue => "현재 시설의 PUE를 알 수 없어 전력망 탄소집약도만으로 순위를 매겼으며, 시설의 부가 소비는 \
             포함되지 않았습니다."
            .to_owned(),
        M::YearlyAverages => {
            "전력망 연평균 기준이며 지연 시간, 데이터 소재지, 이전 비용은 고려하지 않았습니다.".to_owned()
        }
        M::NotCompared { count, reason } => format!("비교하지 못한 리전 {count}개 ({}).", render(reason)),
        M::Migrate { region, zone, current, percent: share, grid_only } => {
            let by = if *grid_only { "전력 1 kWh당" } else { "IT 전력 1 kWh당" };
            format!("{region} ({zone})은(는) {current}보다 {by} {} % 적게 배출합니다.", figure(*share))
        }
        M::Stay { current, margin_percent } => {
            format!("유지: 비교한 리전 중 {current}보다 {} % 넘게 낮은 곳이 없습니다.", figure(*margin_percent))
        }
        M::NoAdvice => "권고하기에 데이터가 부족합니다.".to_owned(),
    }
}

fn schedule(message: &ScheduleMessage) -> String {
    use ScheduleMessage as M;
    match message {
        M::NoForecast { error } => format!("예측 없음: {}", render(error)),
        M::YearlyOnly => {
            "연평균만 알려져 있어 언제 실행할지 알 수 없습니다. 예측 또는 시간대별 프로필을 설정하세요.".to_owned()
        }
        M::OnePrice => "모든 시간에 같은 단가를 적용했으므로 시간대별 차이는 탄소뿐입니다.".to_owned(),
        M::AnyTime => "알려진 데이터로는 실행 시점에 차이가 없습니다.".to_owned(),
        M::Start { local, intensity, saving_percent: Some(saving) } => format!(
            "{local}에 시작하세요: {} g/kWh, 지금 시작할 때보다 {} % 적습니다.",
            figure(*intensity),
            figure(*saving)
        ),
        M::Start { local, intensity, saving_percent: None } => {
            format!("{local}에 시작하세요: {} g/kWh.", figure(*intensity))
        }
        M::StartOrNow { local } => format!("{local}에 시작하세요. 지금 시작해도 더 배출하지 않습니다."),
        M::Job(error) => job(error),
        M::Plan(error) => plan(error),
    }
}

fn job(error: &JobError) -> String {
    match error {
        JobError::NoDuration => "작업 시간이 없습니다. 0보다 긴 시간을 지정하세요.".to_owned(),
        JobError::Power(power) => format!("전력 {power}은(는) 불가능합니다. 0 이상의 유한한 값을 지정하세요."),
        JobError::InterruptiblePhases => "중단 가능한 작업은 전력이 일정해야 합니다.".to_owned(),
        JobError::TooLong => "작업이 290년보다 깁니다.".to_owned(),
    }
}

fn plan(error: &ScheduleError) -> String {
    let seconds = |length: &Duration| figure(length.as_secs_f64());
    match error {
        ScheduleError::HorizonTooShort { job, horizon, earliest, deadline } => format!(
            "작업에 {}초가 걸리지만 {earliest}부터 {deadline}까지는 {}초뿐입니다. 기한을 늦추세요.",
            seconds(job),
            seconds(horizon)
        ),
        ScheduleError::TooLittleData { job, known, earliest, deadline, .. } => format!(
            "작업에 {}초가 걸리지만 {earliest}부터 {deadline}까지 탄소집약도는 {}초만 알려져 있습니다. 더 긴 시계열을 지정하세요.",
            seconds(job),
            seconds(known)
        ),
    }
}

fn trend(message: &TrendMessage) -> String {
    use TrendMessage as M;
    match message {
        M::NoFigures => "해당 범위의 에너지 데이터가 없습니다.".to_owned(),
        M::Coverage { ratio } => format!("구간 데이터는 요청 범위의 {} %만 포함합니다.", percent(ratio * 100.0)),
        M::IntensityGaps => "일부 시간의 탄소집약도가 없어 현재 값으로 대신했습니다.".to_owned(),
        M::Course { mean_watts, peak_watts, rise, anomalies } => {
            let course = match rise {
                Some(rise) if *rise > 0.0 => format!("시간당 {} W 증가", figure(*rise)),
                Some(rise) => format!("시간당 {} W 감소", figure(-rise)),
                None => "뚜렷한 추세 없음".to_owned(),
            };
            format!("평균 {} W, 최대 {} W, {course}; 이상치 {anomalies}건.", figure(*mean_watts), figure(*peak_watts))
        }
    }
}

fn summary(message: &SummaryMessage) -> String {
    use SummaryMessage as M;
    match message {
        M::MuchIdle { percent: share } => format!(
            "에너지의 {} %가 유휴입니다. 워크로드를 더 적은 노드에 모으고 나머지를 끄면 최대 그만큼 절감됩니다.",
            percent(*share)
        ),
        M::MuchUnattributed { percent: share } => format!(
            "에너지의 {} %는 귀속된 워크로드가 없습니다. 단명 프로세스와 커널 작업을 확인하세요.",
            percent(*share)
        ),
    }
}
