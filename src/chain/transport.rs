//! Our nodes as a transport for alloy's providers, with the failover, limits and silence about addresses of `nodes`.
//!
//! Requests of one provider may be answered by different nodes: what belongs together is asked elsewhere, in one question.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task,
};

use alloy::{
    providers::RootProvider,
    rpc::{
        client::RpcClient,
        json_rpc::{ErrorPayload, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest},
    },
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use serde_json::Value;

use super::{
    Chain, Unavailable,
    node::{Blame, Call, Fault, Node, RpcError, Said},
    question::{Question, is_execution_failure},
};

/// A provider over a [`Chain`]. What it could not ask is remembered, since its users turn every error into a text.
#[derive(Clone)]
pub struct ChainTransport {
    chain: Chain,
    gas_max: u64,
    trouble: Arc<Mutex<Option<Unavailable>>>,
}

impl ChainTransport {
    /// `gas_max`: what is tried out by `eth_call` gets no more gas than this.
    pub fn new(chain: Chain, gas_max: u64) -> Self {
        Self { chain, gas_max, trouble: Arc::default() }
    }

    pub fn provider(&self) -> RootProvider {
        RootProvider::new(RpcClient::new(self.clone(), false))
    }

    /// The last request that no node answered, since this was made. `None`: whatever failed was the chain's own answer.
    pub fn trouble(&self) -> Option<Unavailable> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn answer(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let requests = packet.requests();
        let asked = Asked { calls: requests.iter().map(|request| self.call(request)).collect::<Result<_, _>>()? };
        let said = match self.chain.answer(&asked).await {
            Ok(said) => said,
            Err(unavailable) => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(unavailable.clone());
                return Err(TransportErrorKind::custom(unavailable));
            }
        };
        let mut responses = requests.iter().zip(said).map(|(request, said)| {
            let payload = match said {
                Ok(raw) => ResponsePayload::Success(raw),
                Err(RpcError { code, message, .. }) => {
                    ResponsePayload::Failure(ErrorPayload { code, message: message.into(), data: None })
                }
            };
            Response { id: request.id().clone(), payload }
        });
        Ok(match &packet {
            RequestPacket::Batch(_) => ResponsePacket::Batch(responses.collect()),
            RequestPacket::Single(request) => {
                let response = responses.next();
                ResponsePacket::Single(response.ok_or_else(|| TransportErrorKind::missing_batch_response(request.id().clone()))?)
            }
        })
    }

    fn call(&self, request: &SerializedRequest) -> Result<Call, TransportError> {
        let params = request.params().map(|raw| serde_json::from_str(raw.get())).transpose();
        let mut params: Value = params.map_err(TransportErrorKind::custom)?.unwrap_or_else(|| Value::Array(Vec::new()));
        if request.method() == "eth_call"
            && let Some(transaction) = params.get_mut(0).and_then(Value::as_object_mut)
        {
            transaction.entry("gas").or_insert_with(|| format!("{:#x}", self.gas_max).into());
        }
        Ok(Call::new(request.method().to_owned(), params))
    }
}

impl tower::Service<RequestPacket> for ChainTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), TransportError>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> TransportFut<'static> {
        Box::pin(self.clone().answer(packet))
    }
}

/// Any methods, in one batch to one node.
struct Asked {
    calls: Vec<Call>,
}

impl Question for Asked {
    type Answer = Vec<Said>;

    async fn put_to(&self, node: &Node) -> Result<Vec<Said>, Fault> {
        let mut answers = node.batch(&self.calls).await?;
        let said = self.calls.iter().map(|_| match answers.raw()? {
            // That the code failed is an answer; that the node could not run it is none.
            Err(error) if !is_execution_failure(&error) => Err(error.into_fault(Blame::Question)),
            said => Ok(said),
        });
        said.collect()
    }
}
