//! What MCP costs beyond the tool itself: a call over newline-separated JSON, as `kepler mcp` speaks it on standard
//! input and output, against the same call by name without it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot set itself up has no result")]

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::standards::Standards;
use kepler_compliance::tools::{Toolbox, registry};
use kepler_compliance::view::{HistoryRing, RingOptions};
use kepler_compliance::zones::Zones;
use kepler_core::host::Host;
use kepler_core::meter::chain::Source;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::units::ZoneKind;
use kepler_mcp::McpServer;
use rmcp::ServiceExt;
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const TOOL: &str = "assess_workload_compliance";

/// The tools over what this machine does now.
fn toolbox() -> Toolbox {
    let zones = Zones::embedded().unwrap();
    let view = HistoryRing::new("live", "this-node", RingOptions::default());
    let sources = vec![Source::Fake(vec![ZoneKind::Package, ZoneKind::Dram])];
    let options = SamplerOptions::default().with(|options| options.chain.sources = sources);
    let mut sampler = Sampler::new(&Host::default(), options).unwrap();
    for _ in 0..10 {
        view.record(&sampler.tick());
        std::thread::sleep(Duration::from_millis(50));
    }
    let intensity = Arc::new(IntensityTable::from_zones(&zones));
    Toolbox::new(Arc::new(view), Standards::embedded().unwrap(), zones, intensity)
}

fn round_trip(c: &mut Criterion) {
    let toolbox = Arc::new(toolbox());
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    let arguments = json!({ "workload": own.trim(), "window": "1h" });
    let tool = registry::find(TOOL).unwrap();
    c.bench_function("mcp/tool alone, by name", |bench| {
        bench.iter(|| tool.call(&toolbox.context(Timestamp::now()), black_box(arguments.clone())));
    });

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, server) = tokio::io::duplex(64 * 1024);
    runtime.spawn({
        let server_side = McpServer::new(Arc::clone(&toolbox));
        async move { server_side.serve(tokio::io::split(server)).await.unwrap().waiting().await }
    });
    let (reader, mut writer) = tokio::io::split(client);
    let mut lines = BufReader::new(reader).lines();
    let mut exchange = |message: &Value, answered: bool| -> Value {
        runtime.block_on(async {
            writer.write_all((message.to_string() + "\n").as_bytes()).await.unwrap();
            if !answered {
                return Value::Null;
            }
            serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap()
        })
    };
    let client = json!({ "name": "bench", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    exchange(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }), true);
    exchange(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), false);
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    c.bench_function("mcp/ping round trip", |bench| bench.iter(|| exchange(black_box(&ping), true)));
    let params = json!({ "name": TOOL, "arguments": arguments });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    let answer = exchange(&call, true);
    assert!(answer.pointer("/result/structuredContent").is_some(), "{answer}");
    c.bench_function("mcp/tools_call round trip", |bench| bench.iter(|| exchange(black_box(&call), true)));
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
