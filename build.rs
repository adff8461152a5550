//! Tells the program which commit, branch and compiler it was built from. Nothing fails where there is
//! no git or no repository: what is not known is empty.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A copy of these sources inside another repository must not report that repository's commit.
    let here = output("git", &["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty());
    let git = |arguments: &[&str]| if here { output("git", arguments) } else { None };
    set("BUILT_REVISION", git(&["rev-parse", "--short=12", "HEAD"]));
    // Empty on a detached head, as in most automated builds.
    set("BUILT_BRANCH", git(&["branch", "--show-current"]));
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    set(
        "BUILT_RUSTVERSION",
        output(&compiler, &["--version"]).and_then(|line| line.split(' ').nth(1).map(str::to_owned)),
    );
    // Who builds packages says so; what is not said would differ between two builds of the same sources.
    set("BUILT_USER", std::env::var("BUILD_USER").ok());
    set("BUILT_DATE", std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| date(seconds.parse().ok()?)));
    println!("cargo::rerun-if-env-changed=BUILD_USER");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // HEAD changes with the branch, its log with each commit. In a work tree they lie elsewhere than `.git`.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What a command prints, trimmed; `None` if it cannot be run or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `20260821-13:16:48`, in UTC, of seconds since 1970.
fn date(seconds: u64) -> Option<String> {
    output("date", &["--utc", &format!("--date=@{seconds}"), "+%Y%m%d-%H:%M:%S"])
}

/// `cargo run` gives these to the program as well: no name may begin as those of its settings do.
fn set(name: &str, value: Option<String>) {
    println!("cargo::rustc-env={name}={}", value.unwrap_or_default());
}
