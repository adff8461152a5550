//! Who controls a pod, as far as the pod itself says.

use jiff::Timestamp;
use kepler_core::workload::PodOwner;
use serde::Deserialize;

/// One of a pod's `ownerReferences`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Reference {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

/// A job of a cron job is made within this of the minute in its name.
const MINUTES_LATE: i64 = 3 * 24 * 60;

/// The controller of a pod. A replica set whose name ends with the pod's template hash is a deployment's; a job whose name
/// ends with the minute it was made in is a cron job's. A mirror pod's node is no controller.
pub(super) fn owner(
    references: &[Reference],
    template_hash: Option<&str>,
    created: Option<Timestamp>,
) -> Option<PodOwner> {
    let controller = references.iter().find(|reference| reference.controller == Some(true));
    let Reference { kind, name, .. } = controller?;
    if kind == "Node" || kind.is_empty() || name.is_empty() {
        return None;
    }
    let of_deployment = || name.strip_suffix(template_hash?)?.strip_suffix('-').filter(|name| !name.is_empty());
    let of_cron_job = || {
        let (cron_job, number) = name.rsplit_once('-').filter(|(cron_job, _)| !cron_job.is_empty())?;
        let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
        let number: i64 = number.parse().ok()?;
        // Before 1.21 it is the second.
        let made = created?.as_second();
        let is_then = (made / 60 - number).abs() <= MINUTES_LATE || (made - number).abs() <= MINUTES_LATE * 60;
        is_then.then_some(cron_job)
    };
    let found = match kind.as_str() {
        "ReplicaSet" => of_deployment().map(|name| PodOwner::new("Deployment", name)),
        "Job" => of_cron_job().map(|name| PodOwner::new("CronJob", name)),
        _ => None,
    };
    Some(found.unwrap_or_else(|| PodOwner::new(kind.as_str(), name.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, name: &str, hash: Option<&str>, created: &str) -> Option<(String, String)> {
        let reference = Reference { kind: kind.into(), name: name.into(), controller: Some(true) };
        let found = owner(&[Reference::default(), reference], hash, created.parse().ok())?;
        Some((found.kind, found.name))
    }

    fn owned(kind: &str, name: &str) -> Option<(String, String)> {
        Some((kind.to_owned(), name.to_owned()))
    }

    #[test]
    fn a_replica_set_is_its_deployments_if_it_bears_the_template_hash() {
        let at = "2026-11-28T21:28:51Z";
        let hash = Some("7d8dd5b5cd");
        assert_eq!(of("ReplicaSet", "stress-cpu-7d8dd5b5cd", hash, at), owned("Deployment", "stress-cpu"));
        assert_eq!(of("ReplicaSet", "by-hand", hash, at), owned("ReplicaSet", "by-hand"));
        assert_eq!(of("ReplicaSet", "by-hand-7d8dd5b5cd", None, at), owned("ReplicaSet", "by-hand-7d8dd5b5cd"));
        assert_eq!(of("ReplicaSet", "-7d8dd5b5cd", hash, at), owned("ReplicaSet", "-7d8dd5b5cd"));
        assert_eq!(of("Rollout", "web", hash, at), owned("Rollout", "web"), "a foreign controller");
    }

    #[test]
    fn a_job_is_its_cron_jobs_if_it_bears_the_time_it_was_made_at() {
        let at = "2026-11-28T21:36:00Z";
        assert_eq!(of("Job", "nightly-report-29931696", None, at), owned("CronJob", "nightly-report"));
        assert_eq!(of("Job", "nightly-report-1795901760", None, at), owned("CronJob", "nightly-report"));
        for name in ["batch-once", "report-20261128", "report-1", "-29931696", "report-+29931696"] {
            assert_eq!(of("Job", name, None, at), owned("Job", name));
        }
        assert_eq!(of("Job", "nightly-report-29931696", None, ""), owned("Job", "nightly-report-29931696"));
    }

    #[test]
    fn only_a_controller_owns_a_pod_and_a_node_is_none() {
        assert!(owner(&[Reference { kind: "Job".into(), name: "x".into(), controller: None }], None, None).is_none());
        assert_eq!(of("Node", "node-a", None, ""), None);
        assert_eq!(of("", "x", None, ""), None);
    }
}
