//! Korean: where and when to run.

use super::super::{RegionMessage, ScheduleMessage};
use super::particle::{subject, topic, toward};
use super::render;
use crate::intensity::AccountingMethod;
use crate::lasting::exactly;
use crate::numbers::figure;
use crate::schedule::{JobError, ScheduleError};
use crate::text::Lang;
use std::time::Duration;

pub(super) fn region(message: &RegionMessage) -> String {
    use RegionMessage as M;
    match message {
        M::ComparedBy { method } => format!(
            "모든 리전을 {} 수치로 비교했습니다. 현재 리전의 산정 방법보다 공표된 수치가 많습니다.",
            method.name().ko
        ),
        M::MethodAssumed { method } => format!(
            "현재 리전의 수치에는 산정 방법(직접 배출 또는 전 과정)이 적혀 있지 않아 {0} 수치로 가정하고 {0} 수치와 비교했습니다. 산정 방법을 \
             명시하면 그 방법으로 비교합니다.",
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
            format!("{region}의 공표 PUE가 없어 현재 시설의 {} 가정했습니다.", toward(figure(*pue)))
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
            format!(
                "{} {current}보다 {by} {} % 적게 배출합니다.",
                topic(format_args!("{region} ({zone})")),
                figure(*share)
            )
        }
        M::Stay { current, margin_percent } => {
            format!("유지: 비교한 리전 중 {current}보다 {} % 넘게 낮은 곳이 없습니다.", figure(*margin_percent))
        }
        M::NoAdvice => "권고하기에 데이터가 부족합니다.".to_owned(),
    }
}

pub(super) fn schedule(message: &ScheduleMessage) -> String {
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

pub(super) fn job(error: &JobError) -> String {
    match error {
        JobError::NoDuration => "작업 시간이 없습니다. 0보다 긴 시간을 지정하세요.".to_owned(),
        JobError::Power(power) => format!("전력 {} 불가능합니다. 0 이상의 유한한 값을 지정하세요.", topic(power)),
        JobError::InterruptiblePhases => "중단 가능한 작업은 전력이 일정해야 합니다.".to_owned(),
        JobError::TooLong => "작업이 290년보다 깁니다.".to_owned(),
    }
}

pub(super) fn plan(error: &ScheduleError) -> String {
    let length = |length: &Duration| exactly(*length, Lang::Ko);
    match error {
        ScheduleError::HorizonTooShort { job, horizon, earliest, deadline } => format!(
            "작업에 {} 걸리지만 {earliest:.0}부터 {deadline:.0}까지는 {}뿐입니다. 기한을 늦추세요.",
            subject(length(job)),
            length(horizon)
        ),
        ScheduleError::TooLittleData { job, known, earliest, deadline, .. } => format!(
            "작업에 {} 걸리지만 {earliest:.0}부터 {deadline:.0}까지 탄소집약도는 {} 동안만 알려져 있습니다. 더 긴 시계열을 지정하세요.",
            subject(length(job)),
            length(known)
        ),
    }
}
