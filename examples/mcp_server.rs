//! An MCP server of your own: measures this machine and answers an AI assistant on standard input and
//! output, judged at a facility that is stated here.
//!
//! `cargo run --example mcp_server` (as root for processors' energy counters; else it estimates)

use kepler::compliance::intensity::IntensityTable;
use kepler::compliance::standards::{Basis, Standards};
use kepler::compliance::tools::{StatedPue, Toolbox};
use kepler::compliance::units::Pue;
use kepler::compliance::view::{LiveView, RingOptions};
use kepler::compliance::zones::Zones;
use kepler::core::{host::Host, monitor::Monitor, sampler::Sampler};
use kepler::mcp::{McpServer, serve_stdio};
use std::sync::Arc;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sampler = Sampler::new(&Host::default(), Default::default())?;
    let monitor = Monitor::start(sampler, Duration::from_secs(3))?;
    let view = Arc::new(LiveView::new(monitor.feed(), "this-node", RingOptions::default()));
    // Windows reach back to the first question.
    let observed = Arc::clone(&view);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(3));
        loop {
            tick.tick().await;
            observed.observe();
        }
    });
    let zones = Zones::embedded()?;
    let intensity = Arc::new(IntensityTable::from_zones(&zones));
    let mut toolbox = Toolbox::new(view, Standards::embedded()?, zones, intensity);
    toolbox.settings.region = Some("ap-northeast-2".to_owned());
    toolbox.settings.pue = Some(StatedPue::new(Pue::new(1.3)?, Basis::Measured));
    serve_stdio(McpServer::new(toolbox)).await?;
    Ok(())
}
