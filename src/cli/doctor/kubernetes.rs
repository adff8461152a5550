//! Whether pods can be named here.

use super::super::config::{Config, PodInformer};
use super::super::kubernetes;
use super::super::remedies;
use kepler_core::availability::{Remedy, Setting};
use serde::Serialize;
use std::fmt;

/// What asking Kubernetes came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Kubernetes {
    /// This node's name, by which it is asked.
    node_name: String,
    /// Whether `kepler serve` asks with these settings.
    enabled: bool,
    /// Each source, in the order in which they are tried.
    sources: Vec<Source>,
}

#[derive(Clone, Debug, Serialize)]
struct Source {
    source: &'static str,
    /// Pods that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Remedy>,
}

impl Kubernetes {
    /// Asks each source once, if Kubernetes is to be asked. In a pod always: who looks from there seldom repeats the flags
    /// of the program that runs.
    pub(super) fn ask(config: &Config) -> Option<Self> {
        let enabled = config.kube.enabled;
        if !enabled && !kubernetes::in_pod() {
            return None;
        }
        let config = &{
            let mut as_asked = config.clone();
            as_asked.kube.enabled = true;
            as_asked
        };
        let access = kubernetes::access(config);
        let mut sources = Vec::new();
        if let Err(error) = access.as_ref().map(|_| ()).map_err(ToString::to_string)
            && config.kube.mode != PodInformer::Files
        {
            let remedy = Remedy::CorrectSetting { setting: Setting::Kubeconfig };
            let refused = |source| Source::refused(source, error.clone(), remedy.clone());
            sources.extend(["kubelet", "apiserver"].map(refused));
        }
        let options = kubernetes::options(config, access.ok());
        sources.extend(options.probe().into_iter().map(|(source, outcome)| match outcome {
            Ok(pods) => Source { source, pods: Some(pods), reason: None, remedy: None, action: None },
            Err(unavailable) => Source::refused(source, unavailable.reason, unavailable.remedy),
        }));
        Some(Kubernetes { node_name: config.node_name(), enabled, sources })
    }
}

impl Source {
    fn refused(source: &'static str, reason: String, remedy: Remedy) -> Self {
        let text = remedies::text(&remedy);
        Source { source, pods: None, reason: Some(reason), remedy: Some(text), action: Some(remedy) }
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unless = if self.enabled { "" } else { "; `kepler serve` asks with --kube.enable only" };
        writeln!(f, "\nKubernetes, as node {}{unless}", self.node_name)?;
        for Source { source, pods, reason, remedy, .. } in &self.sources {
            match (pods, reason) {
                (Some(pods), _) => writeln!(f, "  {source:<9} usable, lists {pods} pods")?,
                (None, reason) => {
                    writeln!(f, "  {source:<9} not usable: {}", reason.as_deref().unwrap_or_default())?;
                    writeln!(f, "            remedy: {}", remedy.as_deref().unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}
