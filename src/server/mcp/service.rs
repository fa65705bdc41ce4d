//! The MCP server: two methods, `tools/list` and `tools/call`.

use std::sync::Arc;

use axum::http::{HeaderMap, header, request::Parts};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, Implementation, JsonObject, ListToolsResult, PaginatedRequestParams,
        ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::Value;

use super::{result, tools::Listed};
use crate::{
    error::{CallError, Code},
    runs::Agent,
    x402::{
        call::Caller,
        decorator::Waiting,
        desk::Desk,
        outcome::{self, Outcome},
        presented,
        wire::{MCP_PAYMENT, Resource},
    },
};

const INSTRUCTIONS: &str = "Each tool is an agent that is paid per call over x402. A call without a payment answers with `isError` and the \
    offers (x402 PaymentRequired) as structured content; nothing runs and nothing is charged. To pay, sign one of `accepts` and call again \
    with the same arguments and the payment in `_meta[\"x402/payment\"]`. `retry: same_payment` in an error means: the payment counts, call \
    again with the same one, never with another.";

#[derive(Clone)]
pub struct Shop {
    desk: Desk,
    /// In the order of the desk's agents.
    listed: Arc<[Listed]>,
}

impl Shop {
    pub fn new(desk: Desk) -> Self {
        let listed = desk.agents.iter().map(|agent| Listed::new(&desk, agent)).collect();
        Self { desk, listed }
    }

    /// As over HTTP: the input first, then the payment. The run's body is the canonical JSON (RFC 8785) of the arguments, so that a payer knows
    /// what he signs for.
    async fn call(
        &self,
        agent: &Agent,
        resource: &str,
        arguments: JsonObject,
        payment: Option<&Value>,
        headers: &HeaderMap,
    ) -> Outcome {
        match input(agent, arguments) {
            Ok(body) => {
                let caller = Caller { headers, resource };
                let waiting = Waiting::of(headers);
                outcome::of_call(&self.desk, agent.card, caller, presented::in_meta(payment), body, waiting).await
            }
            Err(why) => Outcome::refused(why),
        }
    }
}

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("coinslot", env!("CARGO_PKG_VERSION")).with_title("Coinslot"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.listed.iter().map(|listed| listed.tool.clone()).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut tools = self.desk.agents.iter().zip(self.listed.iter());
        let tool = tools.find(|(agent, _)| agent.card.mcp_tool() == request.name);
        let (agent, listed) = tool.ok_or_else(|| ErrorData::invalid_params("There is no such tool.", None))?;
        let headers = context.extensions.get::<Parts>().map(without_cookie).unwrap_or_default();
        let resource = Resource { url: format!("mcp://tool/{}", agent.card.mcp_tool()), ..self.desk.resource(agent.card) };
        let arguments = request.arguments.unwrap_or_default();
        let outcome = self.call(agent, &resource.url, arguments, context.meta.get(MCP_PAYMENT), &headers).await;
        Ok(result::of(&self.desk, agent.card, resource, &listed.bazaar, outcome).into())
    }
}

/// Nobody's session pays here: any page may call, and a browser would send the cookie along from our own.
fn without_cookie(parts: &Parts) -> HeaderMap {
    let mut headers = parts.headers.clone();
    headers.remove(header::COOKIE);
    headers
}

fn input(agent: &Agent, arguments: JsonObject) -> Result<String, CallError> {
    let text = serde_json_canonicalizer::to_string(&Value::Object(arguments))
        .map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    if text.len() > agent.card.input_max {
        return Err(CallError::too_large(agent.card.input_max));
    }
    (agent.check)(text.as_bytes())
}
