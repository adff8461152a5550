//! Controllers of controllers: what a replica set or a job belongs to, where its name does not tell.

use kepler_compliance::view::{Owner, WorkloadKind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A controller of pods that may have one of its own: a replica set or a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PodController {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its kind as Kubernetes writes it: `ReplicaSet` or `Job`.
    pub kind: &'static str,
    /// Its name.
    pub name: Arc<str>,
}

impl PodController {
    /// The controller that a pod of a namespace shows, if that may have one of its own.
    fn of(namespace: Option<&Arc<str>>, owner: &Owner) -> Option<Self> {
        let kind = match (owner.kind, owner.controller.as_deref()) {
            (WorkloadKind::Controller, Some("ReplicaSet")) => "ReplicaSet",
            (WorkloadKind::Job, None) => "Job",
            _ => return None,
        };
        Some(PodController { namespace: Arc::clone(namespace?), kind, name: Arc::clone(&owner.name) })
    }
}

/// Controllers that were looked up, each once: an object's controller does not change.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<PodController, Option<Owner>>);

impl Owners {
    /// Takes over who controls `controller`; nothing does if `None`.
    pub(super) fn know(&mut self, controller: PodController, owner: Option<Owner>) {
        self.0.insert(controller, owner);
    }

    /// Who stands above the controller that a pod shows, else that itself.
    pub(super) fn top(&self, namespace: Option<&Arc<str>>, shown: Owner) -> Owner {
        if self.0.is_empty() {
            return shown;
        }
        let known = PodController::of(namespace, &shown).and_then(|controller| self.0.get(&controller).cloned());
        known.flatten().unwrap_or(shown)
    }

    /// Of the controllers that pods show, those that have not been looked up; `most` at most. Those that no pod shows any
    /// more are forgotten.
    pub(super) fn unknown<'a>(
        &mut self,
        pods: impl Iterator<Item = (Option<&'a Arc<str>>, &'a Owner)>,
        most: usize,
    ) -> Vec<PodController> {
        let shown: HashSet<PodController> =
            pods.filter_map(|(namespace, owner)| PodController::of(namespace, owner)).collect();
        self.0.retain(|controller, _| shown.contains(controller));
        shown.into_iter().filter(|controller| !self.0.contains_key(controller)).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::workload::PodOwner;

    fn owner(kind: &str, name: &str) -> Owner {
        Owner::of(&PodOwner::new(kind, name)).unwrap()
    }

    #[test]
    fn a_replica_set_stands_for_what_controls_it_and_others_for_themselves() {
        let (mut owners, shop) = (Owners::default(), Arc::from("shop"));
        let set = PodController::of(Some(&shop), &owner("ReplicaSet", "web-x")).unwrap();
        owners.know(set, Some(owner("Rollout", "web")));
        let job = PodController::of(Some(&shop), &owner("Job", "once")).unwrap();
        owners.know(job, None);
        assert_eq!(owners.top(Some(&shop), owner("ReplicaSet", "web-x")), owner("Rollout", "web"));
        for own in [owner("Job", "once"), owner("ReplicaSet", "web-y"), owner("Deployment", "web")] {
            assert_eq!(owners.top(Some(&shop), own.clone()), own);
        }
        assert_eq!(owners.top(Some(&Arc::from("other")), owner("ReplicaSet", "web-x")), owner("ReplicaSet", "web-x"));
        for known in ["Deployment", "CronJob", "CloneSet", "DaemonSet"] {
            assert!(PodController::of(Some(&shop), &owner(known, "x")).is_none(), "{known} is not looked up");
        }
    }
}
