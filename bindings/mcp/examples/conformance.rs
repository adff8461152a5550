//! A server with the tools, prompts and resources that the official conformance suite calls, over the very HTTP
//! transport of the product: what the suite finds wrong here is wrong there. Its scenarios say what each returns.
//!
//! Writes its address to standard output; ends when standard input is closed.
#![allow(deprecated, reason = "logging and sampling are deprecated in MCP, and still part of the suite")]
#![allow(clippy::print_stdout, reason = "a program says where it listens")]

use kepler_mcp::http::{HttpOptions, router};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// Silence of no length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

#[derive(Clone)]
struct Fixtures;

fn from<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn text(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }] })
}

fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "text": text } })
}

fn argument<'a>(arguments: Option<&'a serde_json::Map<String, Value>>, name: &str) -> &'a str {
    arguments.and_then(|arguments| arguments.get(name)).and_then(Value::as_str).unwrap_or_default()
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn log(context: &RequestContext<RoleServer>, message: &str) -> Result<(), ErrorData> {
    let log = from(json!({ "level": "info", "data": message }))?;
    context.peer.notify_logging_message(log).await.map_err(failed)
}

fn failed(error: impl ToString) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn progress(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
            context.peer.notify_progress(progress).await.map_err(failed)?;
        }
        pause().await;
    }
    Ok(text("done"))
}

async fn elicit(context: &RequestContext<RoleServer>, message: &str, schema: Value) -> Result<Value, ErrorData> {
    let asked = from(json!({ "mode": "form", "message": message, "requestedSchema": schema }))?;
    let answer = context.peer.create_elicitation(asked).await.map_err(failed)?;
    let content = answer.content.unwrap_or_default();
    let action = serde_json::to_value(answer.action).map_err(failed)?;
    Ok(text(format!("Elicitation completed: action={}, content={content}", action.as_str().unwrap_or_default())))
}

async fn sample(context: &RequestContext<RoleServer>, prompt: &str) -> Result<Value, ErrorData> {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    let asked = from(json!({ "messages": [message], "maxTokens": 100 }))?;
    let answer = context.peer.create_message(asked).await.map_err(failed)?;
    let answer = serde_json::to_value(answer).map_err(failed)?;
    let said = answer.pointer("/content/text").or(answer.pointer("/content/0/text")).and_then(Value::as_str);
    Ok(text(format!("LLM response: {}", said.unwrap_or_default())))
}

fn defaults() -> Value {
    json!({ "type": "object", "properties": {
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
    } })
}

fn choices() -> Value {
    let titled = |first: &str| {
        json!([
            { "const": "value1", "title": format!("First {first}") },
            { "const": "value2", "title": format!("Second {first}") },
            { "const": "value3", "title": format!("Third {first}") },
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({ "type": "object", "properties": {
        "untitledSingle": { "type": "string", "enum": plain },
        "titledSingle": { "type": "string", "oneOf": titled("Option") },
        "legacyEnum": {
            "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } },
    } })
}

fn person() -> Value {
    let property = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "properties": { "username": property("User's response"), "email": property("User's email address") },
        "required": ["username", "email"],
    })
}

fn tools() -> Value {
    let nothing = json!({ "type": "object" });
    let needs =
        |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    let rich = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": { "type": "object", "properties": {
            "street": { "type": "string" }, "city": { "type": "string" } } } },
        "properties": { "name": { "type": "string" }, "address": { "$ref": "#/$defs/address" } },
        "additionalProperties": false,
    });
    let tool = |(name, schema): (&str, Value)| json!({ "name": name, "description": name, "inputSchema": schema });
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_tool_with_logging",
        "test_error_handling",
        "test_tool_with_progress",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
    ];
    let rest = [
        ("test_sampling", needs("prompt")),
        ("test_elicitation", needs("message")),
        ("json_schema_2020_12_tool", rich),
    ];
    let all = plain.into_iter().map(|name| (name, nothing.clone())).chain(rest);
    json!({ "tools": all.map(tool).collect::<Vec<_>>() })
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {
                "tools": {}, "prompts": {}, "resources": { "subscribe": true }, "completions": {}, "logging": {}
            },
            "serverInfo": { "name": "conformance", "version": "1" },
        });
        from::<InitializeResult>(info).unwrap_or_default()
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        from(tools())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = request.arguments.as_ref();
        let answer = match &*request.name {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => json!({ "content": [image()] }),
            "test_audio_content" => json!({ "content": [{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }] }),
            "test_embedded_resource" => json!({ "content": [resource(
                "test://embedded-resource", "text/plain", "This is an embedded resource content.")] }),
            "test_multiple_content_types" => json!({ "content": [
                { "type": "text", "text": "Multiple content types test:" },
                image(),
                resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
            ] }),
            "test_tool_with_logging" => {
                for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    log(&context, message).await?;
                    pause().await;
                }
                text("done")
            }
            "test_error_handling" => json!({ "isError": true, "content": [
                { "type": "text", "text": "This tool intentionally returns an error for testing" }] }),
            "test_tool_with_progress" => progress(&context).await?,
            "test_sampling" => sample(&context, argument(given, "prompt")).await?,
            "test_elicitation" => elicit(&context, argument(given, "message"), person()).await?,
            "test_elicitation_sep1034_defaults" => elicit(&context, "With defaults", defaults()).await?,
            "test_elicitation_sep1330_enums" => elicit(&context, "Choices", choices()).await?,
            other => return Err(ErrorData::invalid_params(format!("unknown tool {other}"), None)),
        };
        from::<rmcp::model::CallToolResult>(answer).map(Into::into)
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let listed = ["static-text", "static-binary", "watched-resource"];
        let one = |name: &str| json!({ "uri": format!("test://{name}"), "name": name, "description": name });
        from(json!({ "resources": listed.map(one) }))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        from(json!({ "resourceTemplates": [{ "uriTemplate": "test://template/{id}/data", "name": "template" }] }))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = &*request.uri;
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let content = match (uri, id) {
            (_, Some(id)) => {
                let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "uri": uri, "mimeType": "application/json", "text": text.to_string() })
            }
            ("test://static-binary", _) => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
            ("test://static-text" | "test://watched-resource", _) => {
                let text = "This is the content of the static text resource.";
                json!({ "uri": uri, "mimeType": "text/plain", "text": text })
            }
            _ => return Err(ErrorData::resource_not_found(format!("no resource {uri}"), None)),
        };
        from::<ReadResourceResult>(json!({ "contents": [content] })).map(Into::into)
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |name: &str, arguments: &[&str]| {
            let arguments: Vec<Value> =
                arguments.iter().map(|name| json!({ "name": name, "description": name, "required": true })).collect();
            json!({ "name": name, "description": name, "arguments": arguments })
        };
        from(json!({ "prompts": [
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
            prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
            prompt("test_prompt_with_image", &[]),
        ] }))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = request.arguments.as_ref();
        let words = |text: &str| json!({ "type": "text", "text": text });
        let contents = match &*request.name {
            "test_simple_prompt" => vec![words("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (argument(given, "arg1"), argument(given, "arg2"));
                vec![words(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => vec![
                resource(argument(given, "resourceUri"), "text/plain", "Embedded resource content for testing."),
                words("Please process the embedded resource above."),
            ],
            "test_prompt_with_image" => vec![image(), words("Please analyze the image above.")],
            other => return Err(ErrorData::invalid_params(format!("unknown prompt {other}"), None)),
        };
        let messages: Vec<Value> =
            contents.into_iter().map(|content| json!({ "role": "user", "content": content })).collect();
        from::<GetPromptResult>(json!({ "messages": messages })).map(Into::into)
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        from(json!({ "completion": { "values": ["paris", "park", "party"], "total": 3, "hasMore": false } }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    // The process that started this has gone when its end of the pipe is closed.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    axum::serve(listener, router(Fixtures, HttpOptions::default())).await?;
    Ok(())
}
