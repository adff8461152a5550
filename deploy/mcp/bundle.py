#!/usr/bin/env python3
"""Makes kepler.mcpb, which Claude Desktop and other clients install with one click.

    cargo build --release && deploy/mcp/bundle.py target/release/kepler

The bundle holds the program and deploy/mcp/manifest.json, with the version of Cargo.toml.
"""

import argparse
import json
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version() -> str:
    """The version of the workspace."""
    found = re.search(r'^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text(), re.M)
    if not found:
        sys.exit("Cargo.toml states no version")
    return found.group(1)


def bundle(program: Path, target: Path) -> None:
    """Writes the bundle."""
    if not program.is_file():
        sys.exit(f"{program} is no program: build it with `cargo build --release`")
    manifest = json.loads((Path(__file__).parent / "manifest.json").read_text())
    manifest["version"] = version()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        entry = zipfile.ZipInfo.from_file(program, manifest["server"]["entry_point"])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, program.read_bytes())
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path, help="the program: target/release/kepler")
    parser.add_argument("-o", "--output", type=Path, default=Path("kepler.mcpb"))
    given = parser.parse_args()
    bundle(given.program, given.output)
