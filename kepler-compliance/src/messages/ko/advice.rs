//! Korean: what would help.

use super::super::{AssessmentMessage, MigrationMessage, PueMessage, ShiftMessage, SizingMessage, TargetPue};
use super::particle::{topic, toward};
use super::render;
use super::verdict::figure_source;
use crate::intensity::SeriesBasis;
use crate::numbers::{figure, percent};

fn target(target: &TargetPue) -> &str {
    match target {
        TargetPue::Request => "요청값",
        TargetPue::Standard { code } => code,
    }
}

pub(super) fn pue(message: &PueMessage) -> String {
    use PueMessage as M;
    match message {
        M::Unknown => "PUE를 알 수 없습니다.".to_owned(),
        M::NoTarget => "목표 PUE가 없습니다.".to_owned(),
        M::Reached { current, target: aim, whose } => {
            format!("PUE {} 이미 {} ({}) 이하입니다.", topic(figure(*current)), figure(*aim), target(whose))
        }
        M::Lower { current, target } => format!(
            "시설 PUE를 {}에서 {} 낮춥니다 (냉각, 기류, 전력 공급 개선).",
            figure(*current),
            toward(figure(*target))
        ),
        M::LowerBasis { current, target: aim, whose } => format!(
            "현재 PUE {}, 목표 {} ({}). 배출량은 PUE에 비례합니다.",
            figure(*current),
            figure(*aim),
            target(whose)
        ),
    }
}

pub(super) fn sizing(message: &SizingMessage) -> String {
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

pub(super) fn migration(message: &MigrationMessage) -> String {
    use MigrationMessage as M;
    match message {
        M::CurrentUnknown => "현재 탄소집약도 또는 PUE를 알 수 없습니다.".to_owned(),
        M::NoRegion => "비교할 리전이 없습니다.".to_owned(),
        M::NotComparable { region, reason } => format!("{region}: {}", render(reason)),
        M::NoneLower { margin_percent, region, there, here } => format!(
            "{} % 넘게 낮은 리전이 없습니다: {} {} g/kWh, 현재 {} g/kWh.",
            figure(*margin_percent),
            topic(region),
            figure(*there),
            figure(*here)
        ),
        M::Move { region, zone, there, here } => {
            let (zone, here, there) = (&zone.ko, figure(*here), figure(*there));
            format!("{} 이전: IT 전력 1 kWh당 {here} g 대신 {there} g.", toward(format_args!("{region} ({zone})")))
        }
        M::MoveBasis { grid, source, pue, caveats } => {
            let (grid, source, pue) = (figure(*grid), figure_source(source), figure(*pue));
            let basis = format!("탄소집약도 {grid} g/kWh ({source}), PUE {pue}.");
            std::iter::once(basis).chain(caveats.iter().map(render)).collect::<Vec<_>>().join(" ")
        }
    }
}

pub(super) fn shift(message: &ShiftMessage) -> String {
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

pub(super) fn assessment(message: &AssessmentMessage) -> String {
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
