//! Configurations of MCP clients.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// A program that speaks MCP as a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Client {
    /// All of them.
    All,
    ClaudeDesktop,
    ClaudeCode,
    Vscode,
    Cursor,
    Windsurf,
    Zed,
    Codex,
    Gemini,
}

/// How the client reaches Kepler.
pub(super) enum Server<'a> {
    /// It starts the program.
    Program { program: &'a str, arguments: &'a [String] },
    /// It asks one that runs, by streamable HTTP; `program` is this one, which has the bridge.
    Remote { program: &'a str, url: &'a str },
}

/// Clients, in the order in which they are shown.
const CLIENTS: [Client; 8] = [
    Client::ClaudeDesktop,
    Client::ClaudeCode,
    Client::Vscode,
    Client::Cursor,
    Client::Windsurf,
    Client::Zed,
    Client::Codex,
    Client::Gemini,
];

/// What `client` needs to reach `server`.
pub(super) fn of(client: Client, server: &Server<'_>) -> String {
    let chosen = CLIENTS.into_iter().filter(|one| client == Client::All || *one == client);
    chosen.map(|client| format!("{}\n{}\n", client.file(), client.snippet(server))).collect::<Vec<_>>().join("\n")
}

impl Client {
    /// Its name, and where its configuration is.
    const fn file(self) -> &'static str {
        match self {
            Client::All => "",
            Client::ClaudeDesktop => "Claude Desktop: claude_desktop_config.json (Settings, Developer, Edit Config)",
            Client::ClaudeCode => "Claude Code: .mcp.json in a project",
            Client::Vscode => "VS Code: .vscode/mcp.json in a project, or the command \"MCP: Open User Configuration\"",
            Client::Cursor => "Cursor: ~/.cursor/mcp.json, or .cursor/mcp.json in a project",
            Client::Windsurf => "Windsurf: ~/.codeium/windsurf/mcp_config.json",
            Client::Zed => "Zed: settings.json (the command \"zed: open settings\")",
            Client::Codex => "Codex: ~/.codex/config.toml",
            Client::Gemini => "Gemini CLI: ~/.gemini/settings.json, or .gemini/settings.json in a project",
        }
    }

    fn snippet(self, server: &Server<'_>) -> String {
        if self == Client::Codex {
            return toml(server);
        }
        let own = self.server(server);
        let all = match self {
            Client::Vscode => json!({ "servers": { "kepler": own } }),
            Client::Zed => json!({ "context_servers": { "kepler": own } }),
            _ => json!({ "mcpServers": { "kepler": own } }),
        };
        format!("{all:#}")
    }

    /// The entry of the server.
    fn server(self, server: &Server<'_>) -> Value {
        let url = match server {
            // Claude Desktop's file only has programs that it starts: the bridge is one.
            Server::Remote { program, url } if self == Client::ClaudeDesktop => {
                return json!({ "command": program, "args": ["bridge", url] });
            }
            Server::Remote { url, .. } => url,
            Server::Program { program, arguments } => {
                let mut entry =
                    Map::from_iter([("command".to_owned(), json!(program)), ("args".to_owned(), json!(arguments))]);
                if matches!(self, Client::Vscode | Client::ClaudeCode) {
                    entry.insert("type".to_owned(), "stdio".into());
                }
                return Value::Object(entry);
            }
        };
        match self {
            Client::Vscode | Client::ClaudeCode => json!({ "type": "http", "url": url }),
            Client::Windsurf => json!({ "serverUrl": url }),
            Client::Gemini => json!({ "httpUrl": url }),
            _ => json!({ "url": url }),
        }
    }
}

/// For Codex. JSON's strings and lists of strings are TOML's as well.
fn toml(server: &Server<'_>) -> String {
    let head = "[mcp_servers.kepler]";
    match server {
        Server::Program { program, arguments } => {
            format!("{head}\ncommand = {}\nargs = {}", json!(program), json!(arguments))
        }
        Server::Remote { url, .. } => format!("{head}\nurl = {}", json!(url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = r"C:\Program Files\kepler.exe";

    fn entries(server: &Server<'_>) -> Vec<(Client, Value)> {
        let json = CLIENTS.into_iter().filter(|client| *client != Client::Codex);
        json.map(|client| {
            let text = of(client, server);
            let (_, snippet) = text.split_once('\n').unwrap();
            let snippet: Value = serde_json::from_str(snippet).unwrap();
            let section = ["mcpServers", "servers", "context_servers"].into_iter().find_map(|name| snippet.get(name));
            (client, section.unwrap()["kepler"].clone())
        })
        .collect()
    }

    #[test]
    fn each_client_starts_this_program_with_its_flags() {
        let arguments = ["mcp".to_owned(), "--meter=fake".to_owned()];
        let server = Server::Program { program: PROGRAM, arguments: &arguments };
        for (client, entry) in entries(&server) {
            assert_eq!((&entry["command"], &entry["args"]), (&json!(PROGRAM), &json!(arguments)), "{client:?}");
        }
        let codex = of(Client::Codex, &server);
        assert!(codex.contains(r#"command = "C:\\Program Files\\kepler.exe""#), "{codex}");
        assert!(codex.contains(r#"args = ["mcp","--meter=fake"]"#), "{codex}");
    }

    #[test]
    fn each_client_asks_a_server_that_runs_under_the_key_it_reads() {
        let url = "http://node-1:28282/mcp";
        let keys: Vec<(Client, String)> = entries(&Server::Remote { program: PROGRAM, url })
            .into_iter()
            .map(|(client, entry)| {
                let found = entry.as_object().unwrap().iter().find(|(_, value)| **value == json!(url));
                (client, found.map_or("bridge".to_owned(), |(key, _)| key.clone()))
            })
            .collect();
        for (client, key) in keys {
            let expected = match client {
                Client::ClaudeDesktop => "bridge",
                Client::Windsurf => "serverUrl",
                Client::Gemini => "httpUrl",
                _ => "url",
            };
            assert_eq!(key, expected, "{client:?}");
        }
        assert!(
            of(Client::Codex, &Server::Remote { program: PROGRAM, url }).contains("url = \"http://node-1:28282/mcp\"")
        );
    }

    #[test]
    fn all_clients_are_shown_together() {
        let text = of(Client::All, &Server::Remote { program: PROGRAM, url: "http://127.0.0.1:28282/mcp" });
        for name in ["Claude Desktop", "Claude Code", "VS Code", "Cursor", "Windsurf", "Zed", "Codex", "Gemini"] {
            assert!(text.contains(name), "{name}");
        }
    }
}
