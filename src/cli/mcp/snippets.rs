//! Configurations of MCP clients.

use serde_json::{Value, json};

/// What Claude Desktop, Cursor and VS Code need to start `program` with `arguments`.
pub(super) fn all(program: &str, arguments: &[String]) -> String {
    let server = json!({ "command": program, "args": arguments });
    let mut typed = server.clone();
    if let Value::Object(typed) = &mut typed {
        typed.insert("type".to_owned(), "stdio".into());
    }
    let servers = json!({ "mcpServers": { "kepler": server } });
    let sections = [
        ("Claude Desktop: claude_desktop_config.json (Settings, Developer, Edit Config)", &servers),
        ("Cursor: ~/.cursor/mcp.json, or .cursor/mcp.json in a project", &servers),
        (
            "VS Code: .vscode/mcp.json in a project, or the command \"MCP: Open User Configuration\"",
            &json!({ "servers": { "kepler": typed } }),
        ),
    ];
    sections.map(|(file, content)| format!("{file}\n{content:#}\n")).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_snippet_is_json_that_starts_this_program_with_its_flags() {
        let text = all(r"C:\Program Files\kepler.exe", &["mcp".into(), "--meter=fake".into()]);
        let snippets: Vec<Value> = text
            .split("\n\n")
            .map(|section| serde_json::from_str(section.split_once('\n').unwrap().1).unwrap())
            .collect();
        assert_eq!(snippets.len(), 3);
        for snippet in snippets {
            let server = snippet.pointer("/mcpServers/kepler").or(snippet.pointer("/servers/kepler")).unwrap();
            assert_eq!(server["command"], r"C:\Program Files\kepler.exe");
            assert_eq!(server["args"], json!(["mcp", "--meter=fake"]));
        }
    }
}
