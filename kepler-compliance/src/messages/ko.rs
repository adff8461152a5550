//! Korean.

mod advice;
mod choices;
pub(super) mod errors;
mod particle;
mod planning;
mod verdict;

use super::{EnergyMessage, FacilityMessage, HotspotMessage, Message, SummaryMessage, TrendMessage};
use crate::lasting::{exactly, lasting};
use crate::numbers::{figure, percent};
use crate::text::Lang;
use crate::view::NoDataReason;

const LANG: Lang = Lang::Ko;

pub(super) fn render(message: &Message) -> String {
    match message {
        Message::Text(text) => text.lang(LANG).to_owned(),
        Message::Verbatim(text) => text.clone(),
        Message::Energy(message) => energy(message),
        Message::Facility(message) => facility(message),
        Message::Verdict(message) => verdict::verdict(message),
        Message::Source(source) => verdict::figure_source(source),
        Message::Pue(message) => advice::pue(message),
        Message::Sizing(message) => advice::sizing(message),
        Message::Migration(message) => advice::migration(message),
        Message::Shift(message) => advice::shift(message),
        Message::Assessment(message) => advice::assessment(message),
        Message::Hotspot(message) => hotspot(message),
        Message::Region(message) => planning::region(message),
        Message::Schedule(message) => planning::schedule(message),
        Message::Trend(message) => trend(message),
        Message::Summary(message) => summary(message),
        Message::Choice(message) => choices::choice(message),
    }
}

fn energy(message: &EnergyMessage) -> String {
    use EnergyMessage as M;
    match message {
        M::Estimated { error_ratio } => {
            format!("에너지는 실측이 아닌 모델 추정값이며, 예상 오차는 ±{} %(1σ)입니다.", percent(error_ratio * 100.0))
        }
        M::Corrected { source, factor, age } => format!(
            "전체 기기를 재는 측정기({source})에 맞추어 추정값을 {}배로 보정했습니다. 가장 최근 측정은 {} 전입니다.",
            figure(*factor),
            exactly(*age, Lang::Ko)
        ),
        M::Partial { error_ratio } => format!(
            "에너지는 일부만 실측되었으며 읽을 수 없는 부분은 나머지로부터 추정했습니다. 전체의 예상 오차는 ±{} %(1σ)입니다.",
            percent(error_ratio * 100.0)
        ),
        M::Coverage { ratio, covered } => format!(
            "수치는 요청한 기간과 노드의 {} %만 포함합니다 (첫 측정부터 마지막 측정까지 {}).",
            percent(ratio * 100.0),
            exactly(*covered, Lang::Ko)
        ),
        M::Stale { age } => format!(
            "가장 최근 측정이 {} 전이며 이후 측정이 없습니다. 현재가 아니라 그 시점의 상태입니다.",
            exactly(*age, Lang::Ko)
        ),
        M::LeftOut { what, reason } => format!("{what} 제외됨: {reason}"),
        M::OthersLeftOut { count } => format!("그 외 {count}개가 제외되었습니다."),
        M::NoLabels => {
            "파드 레이블이 알려져 있지 않습니다. 필요한 레이블을 표시하도록 설정하십시오(익스포터의 `kube.podLabels`)."
                .to_owned()
        }
        M::NoData { origin, range, reason } => {
            format!(
                "{origin}에 {:.0}부터 {:.0}까지의 에너지 데이터가 없습니다: {}",
                range.start,
                range.end,
                no_data(reason)
            )
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
        M::DevicesNotTold { known_joules, all_joules } if *known_joules > 0.0 => format!(
            "가속기 전체 {} J 중 장치별로 알려진 것은 {} J입니다. 그 이전 기간은 데이터 출처가 장치를 구분하지 않습니다.",
            figure(*all_joules),
            figure(*known_joules)
        ),
        M::DevicesNotTold { all_joules, .. } => {
            format!(
                "가속기 전체 {} J를 어느 장치가 얼마나 썼는지는 데이터 출처가 알려 주지 않습니다.",
                figure(*all_joules)
            )
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
            format!(
                "리전이 설정되지 않아 {} 가정했습니다. 설정(facility.region)에 리전을 지정하세요.",
                particle::toward(region)
            )
        }
        M::YearlyAverageUsed { error } => {
            format!("다음 이유로 내장 연평균 값을 사용했습니다: {}", render(error))
        }
        M::IntensityUnknown { zone, error } => format!(
            "{}의 전력 탄소집약도를 알 수 없습니다: {} 설정(carbon.grid_intensity)에 지정하세요.",
            zone.ko,
            render(error)
        ),
        M::NoIntensityZone { origin, zone, known } => {
            format!("{origin}에 `{zone}` 구역의 데이터가 없습니다. 있는 구역: {}.", known.join(", "))
        }
        M::NoIntensityThen { origin, zone, from, to } => {
            format!("{origin}에 `{zone}` 구역의 {from:.0}부터 {to:.0}까지 탄소집약도가 없습니다.")
        }
        M::StaleIntensity { origin, zone, ended, age, validity } => format!(
            "{origin}의 `{zone}` 구역 데이터가 오래되었습니다: 최신 값은 {ended:.0}에 끝났고 {} 지났으며 {}까지만 쓸 수 있습니다.",
            lasting(*age, Lang::Ko),
            lasting(*validity, Lang::Ko)
        ),
        M::IntensityEnded { origin, zone, ended, age } => format!(
            "{origin}에 `{zone}` 구역의 예측이 없습니다: 최신 값은 {ended:.0}에 끝났고 {} 지났습니다.",
            lasting(*age, Lang::Ko)
        ),
        M::IntensityBeginsLater { origin, zone, start } => {
            format!("{origin}에 {start:.0} 이전의 `{zone}` 구역 탄소집약도가 없습니다.")
        }
        M::NoPublishedPue { region } => {
            format!("{region}의 공표 PUE가 없습니다. 설정(facility.pue)에 지정하세요.")
        }
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
