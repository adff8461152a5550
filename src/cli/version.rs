//! `kepler --version`, in the form that exporters for Prometheus have in common.

use super::exit::Failure;
use std::io::{self, Write};
use std::process::ExitCode;

/// Writes what this program was built from, and where, as far as that is known.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn write() -> Result<ExitCode, Failure> {
    io::stdout().lock().write_all(text().as_bytes()).map_err(Failure::to("write the version"))?;
    Ok(ExitCode::SUCCESS)
}

/// As `github.com/prometheus/common/version` prints it (2026), with Rust's version instead of Go's.
fn text() -> String {
    let known = |text: &'static str| if text.is_empty() { "unknown" } else { text };
    format!(
        "kepler, version {} (branch: {}, revision: {})\n  \
           build user:       {}\n  \
           build date:       {}\n  \
           rust version:     {}\n  \
           platform:         {}/{}\n  \
           tags:             {}\n",
        env!("CARGO_PKG_VERSION"),
        known(env!("BUILT_BRANCH")),
        known(env!("BUILT_REVISION")),
        known(env!("BUILT_USER")),
        known(env!("BUILT_DATE")),
        known(env!("BUILT_RUSTVERSION")),
        std::env::consts::OS,
        go_arch(),
        tags(),
    )
}

/// The features that this program was built with.
fn tags() -> String {
    let features = [
        ("docs", cfg!(feature = "docs")),
        ("mcp", cfg!(feature = "mcp")),
        ("models", cfg!(feature = "model-server")),
        ("parquet", cfg!(feature = "parquet")),
        ("sim", cfg!(feature = "sim")),
    ];
    let names: Vec<&str> = features.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}

/// This machine's architecture by Go's name, as exporters for Prometheus state it.
pub(super) const fn go_arch() -> &'static str {
    match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        b"x86" => "386",
        b"powerpc64" => "ppc64le",
        _ => std::env::consts::ARCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_that_of_other_exporters() {
        let text = text();
        let first = text.lines().next().unwrap();
        assert!(first.starts_with(concat!("kepler, version ", env!("CARGO_PKG_VERSION"), " (branch: ")), "{first}");
        let names: Vec<&str> = text.lines().skip(1).map(|line| line.trim().split(':').next().unwrap()).collect();
        assert_eq!(names, ["build user", "build date", "rust version", "platform", "tags"]);
        assert!(text.lines().skip(1).all(|line| line.as_bytes()[20] != b' ' && line.starts_with("  ")), "{text}");
    }
}
