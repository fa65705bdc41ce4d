//! The MCP server: two methods, `tools/list` and `tools/call`.

use std::sync::Arc;

use axum::http::{HeaderMap, header, request::Parts};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestMethod, CallToolRequestParams, CallToolResponse, ConstString, CustomRequest, CustomResult, ErrorCode,
        Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
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
        no_call,
        outcome::{self, Outcome},
        presented, refusal,
        signer::Allowance,
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
    async fn call(&self, agent: &Agent, arguments: JsonObject, payment: Option<&Value>, caller: Caller<'_>) -> Outcome {
        match input(agent, arguments) {
            Ok(body) => {
                let waiting = Waiting::of(caller.headers);
                outcome::of_call(&self.desk, agent.card, caller, presented::in_meta(payment), body, waiting).await
            }
            Err(why) => Outcome::refused(self.unused(Some(agent), caller, payment, why).await),
        }
    }

    /// What is wrong with a call, and what became of a payment beside it.
    async fn unused(&self, agent: Option<&Agent>, caller: Caller<'_>, payment: Option<&Value>, why: CallError) -> CallError {
        no_call::beside(&self.desk, agent.map(|agent| agent.card), caller, presented::in_meta(payment), why).await
    }

    fn find(&self, tool: &str) -> Option<(&Agent, &Listed)> {
        self.desk.agents.iter().zip(self.listed.iter()).find(|(agent, _)| agent.card.mcp_tool() == tool)
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
        let (headers, allowance) = caller_of(&context);
        let payment = context.meta.get(MCP_PAYMENT);
        let Some((agent, listed)) = self.find(&request.name) else {
            let none = "There is no such tool.";
            if payment.is_none() {
                return Err(ErrorData::invalid_params(none, None));
            }
            let caller = Caller { headers: &headers, resource: &resource_of(&request.name), allowance };
            let why = self.unused(None, caller, payment, CallError::saying(Code::NoSuchAgent, none)).await;
            return Err(ErrorData::invalid_params(why.error.clone(), serde_json::to_value(&why).ok()));
        };
        let resource = Resource { url: resource_of(agent.card.mcp_tool()), ..self.desk.resource(agent.card) };
        let caller = Caller { headers: &headers, resource: &resource.url, allowance };
        let outcome = self.call(agent, request.arguments.unwrap_or_default(), payment, caller).await;
        let outcome = refusal::with_receipt(&self.desk, payment, outcome);
        Ok(result::of(&self.desk, agent.card, resource, &listed.bazaar, outcome).into())
    }

    /// A call of a tool whose parameters are none (its arguments are no object) comes here as well: with a payment it is answered as a call.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let Some(payment) = context.meta.get(MCP_PAYMENT).filter(|_| request.method == CallToolRequestMethod::VALUE) else {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None));
        };
        let (headers, allowance) = caller_of(&context);
        let name = request.params.as_ref().and_then(|params| params.get("name")?.as_str()).unwrap_or_default();
        let agent = self.find(name).map(|(agent, _)| agent);
        let why = CallError::saying(Code::BadJson, "The tool's arguments are not the JSON object that it takes.");
        let caller = Caller { headers: &headers, resource: &resource_of(name), allowance };
        let why = self.unused(agent, caller, Some(payment), why).await;
        let refused = result::refused(&why, &refusal::of_meta(&self.desk, payment, &why));
        Ok(CustomResult::new(serde_json::to_value(refused).unwrap_or_default()))
    }
}

fn resource_of(tool: &str) -> String {
    format!("mcp://tool/{tool}")
}

/// The headers of the HTTP request beneath, and what its visitor may still have asked of a chain.
fn caller_of(context: &RequestContext<RoleServer>) -> (HeaderMap, Option<&Allowance>) {
    let parts = context.extensions.get::<Parts>();
    (parts.map(without_cookie).unwrap_or_default(), parts.and_then(|parts| parts.extensions.get()))
}

/// Nobody's session pays here: any page may call, and a browser would send the cookie along from our own.
fn without_cookie(parts: &Parts) -> HeaderMap {
    let mut headers = parts.headers.clone();
    headers.remove(header::COOKIE);
    headers.remove(header::AUTHORIZATION);
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
