//! What a pod and its containers asked for.

use super::quantity::{Amounts, Quantity};
use kepler_core::workload::{ContainerKind, ResourceAmounts};
use serde::Deserialize;

/// `resources` of a container or pod.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Resources {
    #[serde(default)]
    requests: Option<Amounts>,
    #[serde(default)]
    limits: Option<Amounts>,
}

impl Resources {
    /// What a container has: its status, which follows changes in place, before its specification.
    pub(super) fn amounts(status: Option<Resources>, spec: Option<Resources>) -> ResourceAmounts {
        let figure = |part: fn(&Resources) -> Option<Amounts>, of: fn(&Amounts) -> Option<u64>| {
            let known = |resources: Option<Resources>| resources.as_ref().and_then(part).as_ref().and_then(of);
            known(status).or_else(|| known(spec))
        };
        let cpu = |amounts: &Amounts| amounts.cpu.and_then(Quantity::millicores);
        let memory = |amounts: &Amounts| amounts.memory.and_then(Quantity::bytes);
        let mut own = ResourceAmounts::default();
        own.cpu_request_millicores = figure(|resources| resources.requests, cpu);
        own.cpu_limit_millicores = figure(|resources| resources.limits, cpu);
        own.memory_request_bytes = figure(|resources| resources.requests, memory);
        own.memory_limit_bytes = figure(|resources| resources.limits, memory);
        own
    }
}

/// What a pod asked for, as the scheduler counts it: the sum of what runs side by side, or more while an init container
/// runs; instead of it what the pod as a whole states; plus the overhead of its runtime class. A limit is one only if
/// every container has it.
pub(super) fn of_pod<'a>(
    containers: impl Iterator<Item = (ContainerKind, &'a ResourceAmounts)> + Clone,
    stated: Option<Resources>,
    overhead: Option<Amounts>,
) -> ResourceAmounts {
    let stated = Resources::amounts(None, stated);
    let overhead = Resources::amounts(None, Some(Resources { requests: overhead, limits: overhead }));
    let sum = |figure: fn(&ResourceAmounts) -> Option<u64>, is_limit: bool| {
        let figures = containers.clone().map(|(kind, amounts)| (kind, figure(amounts)));
        let total = figure(&stated).or_else(|| total(figures, is_limit))?;
        Some(total.saturating_add(figure(&overhead).unwrap_or(0)))
    };
    let mut pod = ResourceAmounts::default();
    pod.cpu_request_millicores = sum(|amounts| amounts.cpu_request_millicores, false);
    pod.cpu_limit_millicores = sum(|amounts| amounts.cpu_limit_millicores, true);
    pod.memory_request_bytes = sum(|amounts| amounts.memory_request_bytes, false);
    pod.memory_limit_bytes = sum(|amounts| amounts.memory_limit_bytes, true);
    pod
}

fn total(figures: impl Iterator<Item = (ContainerKind, Option<u64>)>, is_limit: bool) -> Option<u64> {
    let (mut side_by_side, mut sidecars, mut at_start, mut is_known) = (0_u64, 0_u64, 0_u64, false);
    for (kind, figure) in figures {
        let counts = matches!(kind, ContainerKind::Regular | ContainerKind::Sidecar);
        let Some(figure) = figure else {
            if is_limit && counts {
                return None;
            }
            continue;
        };
        match kind {
            ContainerKind::Regular => side_by_side = side_by_side.saturating_add(figure),
            // Those that have started before an init container run beside it.
            ContainerKind::Sidecar => sidecars = sidecars.saturating_add(figure),
            ContainerKind::Init => at_start = at_start.max(sidecars.saturating_add(figure)),
            // Ephemeral containers may not ask for anything.
            _ => continue,
        }
        is_known = true;
    }
    is_known.then(|| side_by_side.saturating_add(sidecars).max(at_start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(request: Option<u64>, limit: Option<u64>) -> ResourceAmounts {
        let mut amounts = ResourceAmounts::default();
        (amounts.cpu_request_millicores, amounts.cpu_limit_millicores) = (request, limit);
        amounts
    }

    fn pod(containers: &[(ContainerKind, ResourceAmounts)]) -> (Option<u64>, Option<u64>) {
        let pod = of_pod(containers.iter().map(|(kind, amounts)| (*kind, amounts)), None, None);
        (pod.cpu_request_millicores, pod.cpu_limit_millicores)
    }

    #[test]
    fn what_runs_side_by_side_adds_up_and_an_init_container_may_ask_for_more() {
        use ContainerKind::{Ephemeral, Init, Regular, Sidecar};
        let (one, two) = (cpu(Some(100), Some(200)), cpu(Some(50), None));
        assert_eq!(pod(&[(Regular, one), (Regular, one)]), (Some(200), Some(400)));
        assert_eq!(pod(&[(Regular, one), (Regular, two)]), (Some(150), None), "one may use all");
        assert_eq!(pod(&[(Init, cpu(Some(500), None)), (Regular, one)]), (Some(500), Some(200)));
        let with_sidecar = [(Sidecar, one), (Init, cpu(Some(150), None)), (Regular, two), (Ephemeral, one)];
        assert_eq!(pod(&with_sidecar).0, Some(250), "the sidecar runs beside the init container");
        assert_eq!(pod(&[(Regular, cpu(None, None))]), (None, None));
    }

    #[test]
    fn a_pod_may_state_its_own_and_its_runtime_class_adds_to_it() {
        let stated: Resources =
            serde_json::from_str(r#"{"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}"#).unwrap();
        let overhead: Amounts = serde_json::from_str(r#"{"cpu": "250m", "memory": "1Mi"}"#).unwrap();
        let one = cpu(Some(100), Some(200));
        let pod = of_pod([(ContainerKind::Regular, &one)].into_iter(), Some(stated), Some(overhead));
        assert_eq!((pod.cpu_request_millicores, pod.cpu_limit_millicores), (Some(1250), Some(450)));
        assert_eq!((pod.memory_limit_bytes, pod.memory_request_bytes), (Some((1 << 30) + (1 << 20)), None));
    }

    #[test]
    fn a_status_goes_before_a_specification() {
        let resources = |text: &str| serde_json::from_str::<Resources>(text).ok();
        let status = resources(r#"{"requests": {"cpu": "200m"}, "limits": {"memory": "9007199254740988Ki"}}"#);
        let amounts = Resources::amounts(status, resources(r#"{"requests": {"cpu": "100m", "memory": "32Mi"}}"#));
        assert_eq!((amounts.cpu_request_millicores, amounts.memory_request_bytes), (Some(200), Some(32 << 20)));
        assert_eq!(amounts.memory_limit_bytes, None);
    }
}
