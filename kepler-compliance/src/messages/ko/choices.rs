//! What pods, namespaces and nodes choose, in Korean.

use crate::choices::{ChoiceOrigin, NAMES, REGION};
use crate::messages::ChoiceMessage;

pub(super) const fn origin(origin: ChoiceOrigin) -> &'static str {
    match origin {
        ChoiceOrigin::PodAnnotation => "파드 애너테이션",
        ChoiceOrigin::PodLabel => "파드 레이블",
        ChoiceOrigin::NamespaceAnnotation => "네임스페이스 애너테이션",
        ChoiceOrigin::NamespaceLabel => "네임스페이스 레이블",
        ChoiceOrigin::NodeLabel => "노드 레이블",
    }
}

fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || name == REGION
}

/// The name of an annotation or label, with its prefix.
fn key(name: &str, origin: ChoiceOrigin) -> String {
    match origin {
        ChoiceOrigin::NodeLabel => format!("topology.kubernetes.io/{name}"),
        _ => format!("kepler.energy/{name}"),
    }
}

/// What to write instead.
fn remedy(name: &str) -> &'static str {
    match name {
        "standard" => "KR_CARBON_2050와 같은 기준 코드를 쓰세요",
        "budget" => "`20 g/h` 또는 `5 kg/month`와 같이 허용 배출량을 쓰세요",
        "pue" => "1.3과 같이 1 이상의 수를 쓰세요",
        "language" => "en 또는 ko를 쓰세요",
        "energy-unit" => "J, kJ, MJ, Wh, kWh 중 하나를 쓰세요",
        _ => "설정(facility.region)에 리전을 지정하세요",
    }
}

pub(super) fn choice(message: &ChoiceMessage) -> String {
    use ChoiceMessage as M;
    match message {
        M::Unusable { name, origin: on, place, .. } if !is_known(name) => format!(
            "{place}의 {} {}: 알 수 없는 이름이라 무시합니다. standard, budget, pue, language, energy-unit을 쓸 수 있습니다.",
            origin(*on),
            key(name, *on)
        ),
        M::Unusable { name, value, origin: on, place } => format!(
            "{place}의 {} {} 값 `{value}`: 사용할 수 없어 무시합니다. {}.",
            origin(*on),
            key(name, *on),
            remedy(name)
        ),
        M::Differ { name, values, origin: on } => format!(
            "파드마다 {} {} 값이 달라({}) 무시합니다. 모두 같은 값을 쓰세요.",
            origin(*on),
            key(name, *on),
            values.join(", ")
        ),
        M::RegionOfNodes { region } => {
            format!("리전은 노드 레이블 topology.kubernetes.io/region에 따라 {region}입니다.")
        }
        M::MoreUnusable { count } => format!("사용할 수 없어 무시한 애너테이션 또는 레이블이 {count}개 더 있습니다."),
    }
}
