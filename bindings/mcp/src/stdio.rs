//! Standard input and output as a transport.

use crate::McpServer;
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use rmcp::transport::io::stdio_pipes;

/// Why serving over standard input and output ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StdioError {
    /// The client never got through the handshake.
    #[error("the MCP client did not complete the handshake: {0}")]
    Handshake(Box<ServerInitializeError>),
    /// The task that serves has panicked.
    #[error("the MCP server stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

/// Serves one client over standard input and output until it closes them; answers under way are
/// finished first. The caller must write nothing else to standard output.
///
/// # Errors
/// When the first message is no handshake. A client that goes away before it is no error.
pub async fn serve_stdio(server: McpServer) -> Result<(), StdioError> {
    match server.serve(stdio_pipes()).await {
        Ok(running) => {
            running.waiting().await?;
            Ok(())
        }
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(StdioError::Handshake(Box::new(error))),
    }
}
