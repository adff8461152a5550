//! Where the machine is, and which meters to use.

use crate::errors::ConfigurationError;
use kepler_core::calibration::file;
use kepler_core::host::Host as CoreHost;
use kepler_core::meter::chain::{ChainOptions, Source};
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

    /// For pickle.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let roots = PyDict::new(py);
        roots.set_item("procfs", &self.procfs)?;
        roots.set_item("sysfs", &self.sysfs)?;
        roots.set_item("cgroup", &self.cgroup)?;
        roots.set_item("msr", &self.msr)?;
        Ok((PyTuple::empty(py), roots))
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

/// The chain of the meters called `sources` on this host, the automatic one without names, and what `kepler calibrate`
/// learned of it: from the file that `KEPLER_CALIBRATION_PATH` names, else from where `kepler` writes it. A
/// file that cannot be used is warned about, and measuring goes on without.
pub(crate) fn chain(py: Python<'_>, host: &CoreHost, sources: Option<Vec<String>>) -> PyResult<ChainOptions> {
    let named = std::env::var_os("KEPLER_CALIBRATION_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut warnings = Vec::new();
    let refused = |path: &Path, error| {
        warnings.push(format!("the calibration in {} is not used: {error}", path.display()));
    };
    let found = py.detach(|| file::find(host, named.as_deref(), refused));
    let category = py.get_type::<PyUserWarning>();
    for warning in warnings {
        PyErr::warn(py, &category, &CString::new(warning)?, 1)?;
    }
    let calibration = found.map(|(calibration, _)| Arc::new(calibration));
    let options = ChainOptions::default().with(|options| options.calibration = calibration);
    let Some(names) = sources else { return Ok(options) };
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
    Ok(options.with_sources(names.iter().map(find).collect::<PyResult<_>>()?))
}
