//! From the configuration to meters of the whole machine. Nothing here stops the program: without them there are zones.

mod bmcs;

use super::config::{Config, yaml};
use bmcs::BmcFile;
use kepler_connect::redfish::{Bmc, HostIdentity, RedfishPoller};
use kepler_core::host::file::{self, FileLimits};
use kepler_core::platform::PlatformBoard;
use std::path::Path;

/// Those of thousands of nodes have a megabyte.
const MAX_FILE: u64 = 8 << 20;

/// A board that is kept up to date as long as this lives.
pub(super) struct Platform {
    pub(super) board: PlatformBoard,
    _poller: Option<RedfishPoller>,
}

impl Platform {
    /// Begins to ask this node's BMC. It waits for no answer: a BMC may take a minute.
    pub(super) fn start(config: &Config) -> Self {
        let board = PlatformBoard::default();
        let chosen = bmc(config);
        chosen.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        match chosen.bmc {
            Ok(bmc) => {
                let poller = RedfishPoller::start(bmc, board.clone());
                Platform { board, _poller: Some(poller) }
            }
            Err(why) => {
                tracing::error!("no platform power over Redfish: {why}");
                board.fail_all("redfish", "", "configuration");
                Platform { board, _poller: None }
            }
        }
    }
}

/// This node's BMC, and what is wrong with others in the file.
pub(super) struct ChosenBmc {
    pub(super) bmc: Result<Bmc, String>,
    pub(super) problems: Vec<String>,
}

/// The BMC of this node, as the file has it.
pub(super) fn bmc(config: &Config) -> ChosenBmc {
    let settings = &config.redfish;
    let Some(path) = &settings.file else {
        let what = "no file says which BMCs there are; name it (`experimental.platform.redfish.configFile`, \
                    --experimental.platform.redfish.config-file)";
        return ChosenBmc { bmc: Err(what.to_owned()), problems: Vec::new() };
    };
    let read = match read(Path::new(&path.text)) {
        Ok(file) => file,
        Err(what) => return ChosenBmc { bmc: Err(format!("{}: {what}", path.origin)), problems: Vec::new() },
    };
    let name = settings.node_name.clone().unwrap_or_else(|| config.node_name());
    let bmc = read.of_node(&name).map(|mut bmc| {
        bmc.timeout = settings.timeout;
        bmc.host = HostIdentity::read(&config.host(), name);
        bmc
    });
    ChosenBmc { bmc, problems: read.problems }
}

fn read(path: &Path) -> Result<BmcFile, String> {
    let shown = path.display();
    let text = file::read_text(path, FileLimits::bytes(MAX_FILE))
        .map_err(|error| format!("{shown} cannot be read: {}", error.reason()))?;
    let document = yaml::parse(&text).map_err(|error| format!("{shown}:{}: {}", error.line, error.what))?;
    let root = document.root.ok_or_else(|| format!("{shown} is empty"))?;
    BmcFile::of(&root, path)
}
