//! Where the machine is, and which meters to use.

use crate::errors::ConfigurationError;
use kepler_core::host::Host as CoreHost;
use kepler_core::meter::Refusal;
use kepler_core::meter::chain::{ChainOptions, Source};
use pyo3::prelude::*;
use std::path::PathBuf;

/// The roots under which the kernel's interfaces are found.
#[pyclass(frozen, eq, hash, from_py_object, module = "kepler_power")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    procfs: Option<PathBuf>,
    sysfs: Option<PathBuf>,
    cgroup: Option<PathBuf>,
    msr: Option<PathBuf>,
}

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (*, procfs=None, sysfs=None, cgroup=None, msr=None))]
    fn new(procfs: Option<PathBuf>, sysfs: Option<PathBuf>, cgroup: Option<PathBuf>, msr: Option<PathBuf>) -> Self {
        Host { procfs, sysfs, cgroup, msr }
    }

    #[getter]
    fn procfs(&self) -> PathBuf {
        self.core().procfs().to_owned()
    }

    #[getter]
    fn sysfs(&self) -> PathBuf {
        self.core().sysfs().to_owned()
    }

    #[getter]
    fn cgroup(&self) -> PathBuf {
        self.core().cgroup().to_owned()
    }

    #[getter]
    fn msr(&self) -> PathBuf {
        self.core().msr().to_owned()
    }

    fn __repr__(&self) -> String {
        let host = self.core();
        format!(
            "Host(procfs={:?}, sysfs={:?}, cgroup={:?}, msr={:?})",
            host.procfs(),
            host.sysfs(),
            host.cgroup(),
            host.msr()
        )
    }
}

impl Host {
    pub(crate) fn core(&self) -> CoreHost {
        let mut host = CoreHost::default();
        if let Some(procfs) = &self.procfs {
            host = host.with_procfs(procfs);
        }
        if let Some(sysfs) = &self.sysfs {
            // Simulated meters go with real cgroups: a tree without any has none to offer.
            let real = host.cgroup().to_owned();
            host = host.with_sysfs(sysfs);
            if !host.cgroup().is_dir() {
                host = host.with_cgroup(real);
            }
        }
        if let Some(cgroup) = &self.cgroup {
            host = host.with_cgroup(cgroup);
        }
        if let Some(msr) = &self.msr {
            host = host.with_msr(msr);
        }
        host
    }
}

/// The chain of the meters called `sources`; the automatic one without names.
pub(crate) fn chain(sources: Option<Vec<String>>) -> PyResult<ChainOptions> {
    let Some(names) = sources else { return Ok(ChainOptions::default()) };
    let known = Source::auto();
    let find = |name: &String| {
        known.iter().find(|source| source.name() == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(Source::name).collect();
            ConfigurationError::new_err((
                format!("there is no meter called `{name}`"),
                format!("name some of {}", names.join(", ")),
            ))
        })
    };
    Ok(ChainOptions::default().with_sources(names.iter().map(find).collect::<PyResult<_>>()?))
}

/// Source, reason and remedy of each meter that is not in use.
pub(crate) fn refusals(refusals: &[Refusal]) -> Vec<(&'static str, String, String)> {
    refusals.iter().map(|refusal| (refusal.source_name, refusal.reason.clone(), refusal.remedy.clone())).collect()
}
