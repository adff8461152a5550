//! The server without a transport.

#[cfg(feature = "charts")]
use crate::chart;
use crate::selection::{SelectionError, ToolSelection};
use crate::size::Wish;
use crate::watch::ObservedToolbox;
use crate::{completion, prompts, resources, schema};
use kepler_compliance::tools::{CallError, registry};
use kepler_compliance::tools::{
    Context, EnergyRequest, FindRequest, PowerNowRequest, SummaryRequest, ToolRequest, Toolbox, Toolset,
};
use kepler_core::printable;
use kepler_guard::{WorkError, WorkLimit};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ContentBlock,
    CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams, GetPromptResponse, Implementation,
    InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Instructions sent at initialisation: what is in braces are names of tools. Some clients read the beginning only.
const INSTRUCTIONS: &str = "\
Energy, carbon and compliance of the workloads that Kepler measures. To begin: {now} for what uses power now, {energy} \
for any past time, {find} for exact names, {summary} for the whole with its verdicts. Figures come from energy counters or, where there \
are none, from an estimate: `inputs` and `caveats` of each answer say which; repeat them. `null` is unknown, never zero, \
and INSUFFICIENT_DATA is no verdict. A monthly figure is a projection from the window. Standards differ in force (law, \
certificate, internal yardstick): read the resource of a standard before calling its breach unlawful. An answer has at \
most 7200 bytes: `more` counts what it lacks, `max_answer_bytes` (2000 to 1000000) or `limit` asks for more.";

/// Answers that are worked out at a time, by default.
const DEFAULT_AT_ONCE: usize = 4;
/// How long a request waits for its turn, by default.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

/// An MCP server over a [`Toolbox`]. Clones share it.
#[derive(Clone, Debug)]
pub struct McpServer {
    toolbox: Arc<Toolbox>,
    tools: Arc<[Tool]>,
    selection: Arc<ToolSelection>,
    work: WorkLimit,
}

impl McpServer {
    /// A server that answers from `toolbox`.
    #[must_use]
    pub fn new(toolbox: impl Into<Arc<Toolbox>>) -> Self {
        McpServer::describing(toolbox.into(), false)
    }

    /// A server that answers from `toolbox`, which asks others over a network: a provider of grid
    /// intensities, other Kepler exporters, Prometheus. Tools then say so (`openWorldHint`).
    #[must_use]
    pub fn asking_network(toolbox: impl Into<Arc<Toolbox>>) -> Self {
        McpServer::describing(toolbox.into(), true)
    }

    fn describing(toolbox: Arc<Toolbox>, open_world: bool) -> Self {
        McpServer {
            toolbox,
            tools: registry::tools().iter().map(|tool| describe(tool, open_world)).collect(),
            selection: Arc::default(),
            work: WorkLimit::new(DEFAULT_AT_ONCE, DEFAULT_PATIENCE),
        }
    }

    /// Offers these tools; by default all of them.
    #[must_use]
    pub fn with_selection(self, selection: ToolSelection) -> Self {
        McpServer { selection: Arc::new(selection), ..self }
    }

    /// The tools that this request is offered: of a client over HTTP the address chooses among them.
    fn selection(&self, request: &RequestContext<RoleServer>) -> Result<ToolSelection, ErrorData> {
        let narrowed = narrowed(&self.selection, request);
        narrowed.map_err(|error| mistaken(&error))
    }

    /// Works within `limit`, which others may share; by default four answers at a time.
    #[must_use]
    pub fn with_work_limit(self, limit: WorkLimit) -> Self {
        McpServer { work: limit, ..self }
    }

    /// Lets `answer` work on a blocking thread, watched: steps become progress notifications where the
    /// client asked for them, and a cancelled request ends at its next step.
    async fn ask<T: Send + 'static>(
        &self,
        request: &RequestContext<RoleServer>,
        answer: impl FnOnce(&Context<'_>) -> T + Send + 'static,
    ) -> Result<T, ErrorData> {
        let (steps, reported) = match request.meta.get_progress_token() {
            Some(token) => {
                let (steps, reported) = mpsc::unbounded_channel();
                (Some(steps), Some((token, reported)))
            }
            None => (None, None),
        };
        let toolbox = Arc::clone(&self.toolbox);
        let cancelled = request.ct.clone();
        let work = self.work.clone();
        let work = tokio::spawn(async move {
            work.run(move || answer(&ObservedToolbox::new(&toolbox, cancelled, steps).context())).await
        });
        if let Some((token, mut reported)) = reported {
            let mut done = 0.0;
            // Ends when the work is done, which drops the sender.
            while let Some(step) = reported.recv().await {
                let progress = ProgressNotificationParam::new(token.clone(), done).with_message(step);
                done += 1.0;
                if request.peer.notify_progress(progress).await.is_err() {
                    break;
                }
            }
        }
        let outcome = work.await.unwrap_or(Err(WorkError::Failed));
        outcome.map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}

#[cfg(feature = "http")]
fn narrowed(selection: &ToolSelection, request: &RequestContext<RoleServer>) -> Result<ToolSelection, SelectionError> {
    let parts = request.extensions.get::<axum::http::request::Parts>();
    selection.narrowed(parts.and_then(|parts| parts.uri.query()))
}

#[cfg(not(feature = "http"))]
fn narrowed(selection: &ToolSelection, _: &RequestContext<RoleServer>) -> Result<ToolSelection, SelectionError> {
    Ok(selection.clone())
}

/// Whether the token of the request permits tools of this set.
#[cfg(feature = "oauth")]
fn is_permitted(set: Toolset, request: &RequestContext<RoleServer>) -> bool {
    let parts = request.extensions.get::<axum::http::request::Parts>();
    let scopes = parts.and_then(|parts| parts.extensions.get::<crate::http::oauth::Scopes>());
    // Without OAuth there are none.
    scopes.is_none_or(|scopes| scopes.permit(set))
}

#[cfg(not(feature = "oauth"))]
fn is_permitted(_: Toolset, _: &RequestContext<RoleServer>) -> bool {
    true
}

/// The tools of a selection, as a client of that name is shown them.
fn listed(tools: &[Tool], selection: &ToolSelection, client: Option<&str>) -> Vec<Tool> {
    let mut tools: Vec<Tool> = tools.iter().filter(|tool| selection.offers(&tool.name)).cloned().collect();
    if !selection.output_schemas.are_shown(client) {
        for tool in &mut tools {
            tool.output_schema = None;
        }
    }
    tools
}

fn describe(tool: &'static registry::Tool, open_world: bool) -> Tool {
    // Nothing is changed by asking, so hints on destruction and on repetition say nothing and are left out.
    let annotations = ToolAnnotations::new().read_only(tool.read_only).open_world(open_world);
    let description = tool.description().split_whitespace().collect::<Vec<_>>().join(" ");
    let arguments = schema::brief(schema::input(&tool.input_schema));
    #[cfg(feature = "charts")]
    let arguments = chart::offered(tool.name, arguments);
    Tool::new(tool.name, description, arguments)
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(schema::output(&tool.output_schema)))
        .with_annotations(annotations)
}

/// The error of a request that cannot be answered.
fn mistaken(error: &impl ToString) -> ErrorData {
    ErrorData::invalid_params(printable::bounded(printable::line(&error.to_string()).into_owned()), None)
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("kepler", env!("CARGO_PKG_VERSION")).with_title("Kepler"))
            .with_instructions(
                INSTRUCTIONS
                    .replace("{now}", PowerNowRequest::NAME)
                    .replace("{energy}", EnergyRequest::NAME)
                    .replace("{find}", FindRequest::NAME)
                    .replace("{summary}", SummaryRequest::NAME),
            )
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let client = context.client_info();
        let client = client.as_ref().map(|client| &*client.name);
        Ok(ListToolsResult::with_all_items(listed(&self.tools, &self.selection(&context)?, client)))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = printable::bounded(request.method);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, printable::line(&method).into_owned(), None))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = registry::find(&request.name).map_err(|error| mistaken(&error))?;
        if !self.selection(&context)?.offers(tool.name) {
            return Err(ErrorData::invalid_params(format!("the tool `{}` is not offered here", tool.name), None));
        }
        if !is_permitted(tool.toolset, &context) {
            return Err(ErrorData::invalid_params(format!("the token does not permit `{}`", tool.name), None));
        }
        let wish = match Wish::new(request.arguments.unwrap_or_default()) {
            Ok(wish) => wish,
            Err(mistake) => return Ok(CallToolResult::error(vec![ContentBlock::text(mistake)]).into()),
        };
        let lang = wish.language();
        let answer = self.ask(&context, move |context| wish.answer(tool, context)).await?;
        // A mistake in the arguments goes to the model, which can mend it, not to the program.
        Ok(match answer {
            Ok(answer) => answer,
            Err(error @ CallError::Answer { .. }) => return Err(ErrorData::internal_error(error.to_string(), None)),
            Err(error) => {
                CallToolResult::error(vec![ContentBlock::text(printable::page(&error.render(lang)).into_owned())])
            }
        }
        .into())
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.ask(&context, move |context| resources::list(context, page.and_then(|page| page.cursor).as_deref()))
            .await?
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = self.ask(&context, move |context| resources::read(context, &request.uri)).await??;
        Ok(read.into())
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let prompt = self.ask(&context, move |context| prompts::get(context, &request.name, &arguments)).await??;
        Ok(prompt.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.ask(&context, move |context| completion::complete(context, &request)).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::OutputSchemas;

    /// 6,000 tokens, and 3,000 without schemas of answers: four bytes each, as counted with the encoding o200k.
    #[test]
    fn the_list_of_tools_fits_into_a_conversation() {
        let tools: Vec<Tool> = registry::tools().iter().map(|tool| describe(tool, false)).collect();
        let size = |schemas| {
            let selection = ToolSelection::default().with_output_schemas(schemas);
            let list = ListToolsResult::with_all_items(listed(&tools, &selection, None));
            serde_json::to_string(&list).unwrap().len()
        };
        let (with, without) = (size(OutputSchemas::On), size(OutputSchemas::Off));
        assert!(with <= 23_000 && without <= 11_800, "{with} bytes, {without} without schemas of answers");
    }
}
