//! The power model that is configured: from a path or a URL.

use super::super::config::{Config, ModelSettings};
use kepler_connect::models::{FetchError, ModelOptions, Origin, fetch};
use kepler_core::host::Host;
use kepler_core::meter::configured::ConfiguredModel;
use kepler_core::model::{Catalogue, Entry, Machine, Model};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The model, if one is configured. What is wrong with it is said by the meter: measuring goes on without.
pub(super) fn model(config: &Config) -> Option<Arc<ConfiguredModel>> {
    let settings = &config.model;
    let mut configured = match (&settings.path, &settings.url) {
        (Some(path), _) => from_path(path, &config.host()),
        (None, Some(url)) => from_url(url, settings),
        (None, None) => return None,
    };
    if let Some(semantics) = settings.semantics {
        configured.model = configured.model.map(|model| Arc::new(Model::clone(&model).with_semantics(semantics)));
    }
    configured.host_threads = settings.host_threads.or(configured.host_threads);
    Some(Arc::new(configured))
}

fn from_path(path: &Path, host: &Host) -> ConfiguredModel {
    let model = Model::load(path).map(Arc::new).map_err(|error| error.to_string());
    // In its pipeline's directory, the index says what machine it describes.
    let machine = listed(path).and_then(|entry| entry.machine);
    let mut configured = ConfiguredModel::new(path.display().to_string(), model);
    configured.host_threads = machine.as_ref().and_then(|machine| machine.threads);
    configured.distance = machine.map(|machine| Machine::of(host).difference(&machine).distance);
    configured
}

fn listed(path: &Path) -> Option<Entry> {
    let path = path.canonicalize().ok()?;
    // <pipeline>/<source>/<output>/<group>/<model>
    let pipeline = path.ancestors().nth(4).filter(|pipeline| pipeline.join("node_type_index.json").is_file())?;
    let catalogue = Catalogue::open(pipeline).ok()?;
    catalogue.entries().iter().find(|entry| entry.path == path).cloned()
}

fn from_url(url: &str, settings: &ModelSettings) -> ConfiguredModel {
    let cache = settings.cache.clone().unwrap_or_else(default_cache);
    let options = ModelOptions::new(cache).with(|options| options.sha256.clone_from(&settings.sha256));
    let fetched = fetch(url, &options);
    // The URL may hold a secret.
    let name = url.split(['?', '#']).next().unwrap_or_default();
    let name = name.rsplit_once('@').map_or(name.to_owned(), |(_, host)| format!("…@{host}"));
    let model = fetched.map_err(|error: FetchError| error.to_string()).map(|fetched| {
        match &fetched.origin {
            Origin::Server => tracing::info!("fetched {name}, SHA-256 {}", fetched.sha256),
            Origin::Unchanged => tracing::info!("{name} is as before, SHA-256 {}", fetched.sha256),
            Origin::Stale { age, reason } => {
                let hours = age.as_secs_f64() / 3600.0;
                tracing::warn!("using the copy of {name} of {hours:.1} h ago: {reason}");
            }
        }
        Arc::new(fetched.model)
    });
    ConfiguredModel::new(name, model)
}

/// Where the system or the user keeps what can be fetched again.
fn default_cache() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    of("CACHE_DIRECTORY")
        .or_else(|| of("XDG_CACHE_HOME").map(|path| path.join("kepler")))
        .or_else(|| of("HOME").map(|path| path.join(".cache/kepler")))
        .unwrap_or_else(|| "/var/cache/kepler".into())
}
