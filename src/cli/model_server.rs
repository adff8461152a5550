//! `kepler model-server`: answers exporters that ask for power models, or for power.

use super::config::{Config, ListenAddress, Value};
use super::exit::Failure;
use super::logging;
use super::serve::listen;
use super::signals;
use clap::Args;
use kepler_core::host::Host;
use kepler_core::model::Machine;
use kepler_http::{ServerOptions, WebConfig};
use kepler_model_server::{SocketOptions, Store, serve_socket};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::watch;

/// Clients of a cluster's exporters, each with a connection that it keeps.
const MOST_CONNECTIONS: usize = 1024;
/// Bytes of all requests that are being answered.
const MOST_BODY_BYTES: usize = 64 << 20;
/// Connections that train, or wait to learn that another one does.
const MOST_TRAINERS: usize = 16;
/// Workers: parsing a large request on one must not hold up the others.
const WORKERS: usize = 2;

/// What to serve, and where.
#[derive(Debug, Args)]
pub(super) struct ModelServer {
    /// The models: a pipeline's directory, or a directory of pipelines, laid out as Kepler's model database
    models: PathBuf,
    /// Serve HTTP at HOST:PORT, or :PORT for all interfaces; may be repeated [default: 127.0.0.1:8100]
    #[arg(long = "web.listen-address", value_name = "ADDRESS", value_parser = address)]
    listen: Vec<ListenAddress>,
    /// TLS and authentication of the HTTP server, in the format of Prometheus' exporter toolkit
    #[arg(long = "web.config-file", value_name = "FILE")]
    web_config: Option<PathBuf>,
    /// Train models as well, from what is posted to /train at HOST:PORT; they are put into the directory of models, which
    /// may be empty. May be repeated; the reference's port is 8102 [default: none]
    #[arg(long = "train.listen-address", value_name = "ADDRESS", value_parser = address)]
    train: Vec<ListenAddress>,
    /// Serve the estimator's Unix socket here; exporters look for /tmp/estimator.sock [default: none]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Lowest severity that is logged: trace, debug, info, warn, error
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    log_level: tracing::Level,
}

fn address(text: &str) -> Result<ListenAddress, String> {
    ListenAddress::parse(&Value::new(text, "the address")).map_err(|problem| problem.to_string())
}

/// Serves until SIGINT or SIGTERM; SIGHUP lists the models again, and reads certificates and passwords again.
///
/// # Errors
/// No models; an address or the socket is taken; the file of TLS is not what it should be.
pub(super) fn run(asked: ModelServer) -> Result<(), Failure> {
    logging::start(&Config { log_level: asked.log_level, ..Config::default() });
    let store = if asked.train.is_empty() { Store::open(&asked.models) } else { Store::open_to_train(&asked.models) };
    let store = Arc::new(store.map_err(|error| Failure::Data(error.to_string()))?);
    let web = asked.web_config.as_ref().map(WebConfig::from_file).transpose();
    let web = web.map_err(|error| Failure::Data(format!("--web.config-file: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(Failure::to("start the model server"))?;
    // A signal may come as soon as the program has said that it serves.
    let asks = {
        let _entered = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signals::of)
    };
    let [interrupt, terminate, hangup] = asks;
    let asks = [interrupt?, terminate?, hangup?];
    let host = Host::default();
    let addresses = if asked.listen.is_empty() { vec![ListenAddress::local(8100)] } else { asked.listen };
    let listeners = listen::bind_all(&addresses, &host)?;
    let trainers = listen::bind_all(&asked.train, &host)?;
    tracing::info!("{} models in {}", store.len(), asked.models.display());
    for (what, listeners) in [("serving models", &listeners), ("training models", &trainers)] {
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            tracing::info!("{what} at http{}://{address}", if web.is_some() { "(s)" } else { "" });
        }
    }
    let mut options = ServerOptions::default();
    options.max_connections = MOST_CONNECTIONS;
    options.body_limit = kepler_model_server::MAX_REQUEST_BYTES;
    options.body_budget = MOST_BODY_BYTES;
    options.web.clone_from(&web);
    let served = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let end = |mut stopped: watch::Receiver<bool>| async move {
            // An error means that the sender is gone, which is an end too.
            drop(stopped.wait_for(|stopped| *stopped).await);
        };
        let router = kepler_model_server::router(Arc::clone(&store));
        let http = kepler_http::serve_router(listeners, router, options.clone(), end(stopped.clone()));
        let training = train(trainers, &store, options, end(stopped.clone()));
        let socket = async {
            let Some(path) = &asked.socket else { return Ok(()) };
            tracing::info!("answering the estimator's clients at {}", path.display());
            let machine = Machine::of(&host);
            serve_socket(path, Arc::clone(&store), machine, SocketOptions::default(), end(stopped)).await
        };
        let end_asked_for = wait_for_end(&store, web.as_ref(), asks, stop);
        let http = async { http.await.map_err(Failure::to("serve HTTP")) };
        let socket = async {
            socket.await.map_err(|error| Failure::Address {
                address: asked.socket.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                reason: error.to_string(),
            })
        };
        tokio::try_join!(http, training, socket, end_asked_for).map(|_| ())
    });
    // A training under way is given up: it writes nothing before it is done.
    runtime.shutdown_background();
    served
}

/// Trains until the end, if an address was given to train at.
async fn train(
    listeners: Vec<TcpListener>,
    store: &Arc<Store>,
    options: ServerOptions,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    if listeners.is_empty() {
        return Ok(());
    }
    let mut options = options;
    options.max_connections = MOST_TRAINERS;
    options.body_timeout = kepler_model_server::TRAIN_BODY_TIMEOUT;
    options.body_budget = 2 * kepler_model_server::MAX_TRAIN_BYTES;
    let router = kepler_model_server::train_router(Arc::clone(store));
    kepler_http::serve_router(listeners, router, options, end).await.map_err(Failure::to("serve HTTP for training"))
}

/// Ends with a signal to end.
async fn wait_for_end(
    store: &Store,
    web: Option<&WebConfig>,
    [mut interrupt, mut terminate, mut hangup]: [Signal; 3],
    stop: watch::Sender<bool>,
) -> Result<(), Failure> {
    let _held = signals::hold()?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => {
                match store.reload() {
                    Ok(()) => tracing::info!("{} models", store.len()),
                    Err(error) => tracing::warn!("the models known so far stay: {error}"),
                }
                if let Some(web) = web {
                    signals::reload(web);
                }
            }
        }
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    Ok::<_, io::Error>(()).map_err(Failure::to("stop"))
}
