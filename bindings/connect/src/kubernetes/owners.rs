//! Controllers of replica sets and jobs, where their names do not tell them: read of the API server, each once, its metadata
//! alone.
//!
//! Most pods need no request: a replica set with the pod's template hash is a deployment's, and a job with a time in its name a
//! cron job's. What is left are replica sets of other controllers (Argo's rollouts), bare ones, and jobs. It needs the right to
//! `get` `replicasets` of `apps` and `jobs` of `batch`; without it such pods are known by their replica set or job.

use super::access::Access;
use super::apiserver::Connection;
use super::failure::{Right, SourceFailure};
use super::pace::TIMEOUT;
use super::pods::Metadata;
use super::source::Bounded;
use crate::kepler::{KeplerView, PodController};
use kepler_compliance::view::Owner;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::{self, BufReader};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Metadata alone: a replica set holds the whole template of its pods.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Time between two looks for controllers that are not known.
const EVERY: Duration = Duration::from_secs(5);
/// Requests in one look: a cluster of thousands of jobs is asked about within minutes.
const MOST: usize = 50;
/// After a refusal a kind is not asked about for so long.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Metadata of one object; its annotations may hold all of it once more.
const MAX_BYTES: u64 = 4 << 20;

/// Where objects of a kind are, and what asking for them needs.
fn place(kind: &str) -> ([&'static str; 3], &'static str, Right) {
    match kind {
        "Job" => (["apis", "batch", "v1"], "jobs", Right { api_group: "batch", resource: "jobs", verbs: &["get"] }),
        _ => (
            ["apis", "apps", "v1"],
            "replicasets",
            Right { api_group: "apps", resource: "replicasets", verbs: &["get"] },
        ),
    }
}

/// Who controls `controller`; `None` where nothing does, or it no longer exists.
fn look_up(connection: &Connection, controller: &PodController) -> Result<Option<Owner>, SourceFailure> {
    let (group, resource, right) = place(controller.kind);
    let mut path = group.to_vec();
    path.extend(["namespaces", &controller.namespace, resource, &controller.name]);
    let (mut url, body) = match connection.get(&path, &[], METADATA, TIMEOUT, &right) {
        Err(failure) if failure.fault == "not_found" => return Ok(None),
        other => other?,
    };
    url.set_query(None);
    let object: Object = serde_json::from_reader(BufReader::new(Bounded::new(body, MAX_BYTES)))
        .map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
    Ok(object.metadata.and_then(|metadata| metadata.controller()).as_ref().and_then(Owner::of))
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// Has `view` know the controllers of replica sets and jobs that its pods show, until what this gives is dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn follow_owners(access: Access, view: Arc<KeplerView>) -> io::Result<OwnersFollower> {
    let (stop, stopped) = channel();
    let look = move || {
        let (mut refused, mut said): (HashMap<&str, Instant>, Option<String>) = (HashMap::new(), None);
        while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            refused.retain(|_, at| at.elapsed() < REFUSED_FOR);
            let mut unknown = view.unknown_controllers(MOST);
            unknown.retain(|controller| !refused.contains_key(controller.kind));
            if unknown.is_empty() {
                continue;
            }
            let Err(failure) = look_all_up(&access, &view, unknown, &mut refused) else { continue };
            let unavailable = failure.unavailable("owners");
            let text = format!("{}; {}", unavailable.reason, unavailable.remedy);
            if said.as_ref() != Some(&text) {
                tracing::warn!("controllers of replica sets and jobs are not known: {text}");
            }
            said = Some(text);
        }
    };
    std::thread::Builder::new().name("kepler-owners".into()).spawn(look)?;
    Ok(OwnersFollower { _stop: stop })
}

/// Looks all up that may be; the first failure.
fn look_all_up(
    access: &Access,
    view: &KeplerView,
    unknown: Vec<PodController>,
    refused: &mut HashMap<&'static str, Instant>,
) -> Result<(), SourceFailure> {
    let connection = Connection::open(access)?;
    let mut first = Ok(());
    for controller in unknown {
        if refused.contains_key(controller.kind) {
            continue;
        }
        match look_up(&connection, &controller) {
            Ok(owner) => view.know_controller(controller, owner),
            Err(failure) => {
                let ends = failure.fault != "forbidden";
                refused.insert(controller.kind, Instant::now());
                first = first.and(Err(failure));
                if ends {
                    // Asked again at the next look: the server may be there by then.
                    refused.clear();
                    break;
                }
            }
        }
    }
    first
}

/// Stops looking controllers up when it is dropped.
#[derive(Debug)]
#[must_use = "controllers are no longer looked up when this is dropped"]
pub struct OwnersFollower {
    _stop: Sender<()>,
}
