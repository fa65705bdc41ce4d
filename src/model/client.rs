//! One question, one answer; and whether the server is there.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use eventsource_stream::Eventsource;
use futures::{StreamExt, pin_mut, stream::try_unfold};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};
use url::Url;

use super::{
    ask::{Answer, Ask},
    dialect::Dialect,
    fault::ModelError,
    settings::ModelSettings,
    wire::{Heard, request},
};
use crate::{chain::is_loopback, http_client};

/// For a connection to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer on the wire: what is around the tokens, and what a streamed token takes with its envelope.
const WIRE_BYTES_BASE: usize = 64 * 1024;
const WIRE_BYTES_PER_TOKEN: usize = 1024;

/// Of a refusal, read for what it names.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;

/// Further tries of what was certainly not begun.
const TRIES_MORE: u32 = 2;

/// Before the first of them, where the server does not say; twice that before the second.
const PAUSE: Duration = Duration::from_millis(400);

/// What each refusal may take away of a request ([`Dialect`]).
const DIALECTS_MAX: usize = 5;

/// For a look at whether the server is there.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a look, or an answer, is good for: nobody should pay long after the server went, nor wait long after it came back.
const THERE_FOR: Duration = Duration::from_secs(15);
const AWAY_FOR: Duration = Duration::from_secs(5);

/// The operator's model. Cheap to clone.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    settings: ModelSettings,
    /// `None`: this machine cannot make an HTTP client (no TLS).
    client: Option<Client>,
    dialect: Mutex<Dialect>,
    known: Mutex<Option<Known>>,
    /// One look at a time; the others wait for what it finds.
    looking: tokio::sync::Mutex<()>,
}

/// What was last seen of the server.
struct Known {
    at: Instant,
    /// `None`: it is there.
    outage: Option<ModelError>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.outage.is_none() { THERE_FOR } else { AWAY_FOR }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.name())
    }
}

impl Model {
    pub fn new(settings: ModelSettings) -> Self {
        let mut client = http_client::builder()
            // It would take the key along.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("coinslot/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&settings.url) {
            // A proxy of the environment is for the world outside.
            client = client.no_proxy();
        }
        Self(Arc::new(Inner {
            settings,
            client: client.build().ok(),
            dialect: Mutex::default(),
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }))
    }

    /// As every text of its is labelled.
    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Do agents that compute let it explain?
    pub fn explains(&self) -> bool {
        self.0.settings.explains
    }

    /// One answer, within the question's time and the settings'. What was certainly not begun (no connection, 429, 503) is tried again; what
    /// may have cost something is not.
    ///
    /// # Errors
    /// Each a [`ModelError`]; none of them is logged with more than its name.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, ModelError> {
        let (begun, within) = (Instant::now(), ask.within.min(self.0.settings.timeout));
        let answer = match timeout(within, self.patiently(ask, begun + within)).await {
            Ok(answer) => answer,
            Err(_) => Err(ModelError::Slow(within)),
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &answer {
            Ok(answer) => {
                self.know(None);
                let tokens = answer.usage.total();
                debug!(model = self.name(), ms, tokens, "the model answered after {ms} ms");
            }
            Err(fault) => {
                if fault.is_outage() {
                    self.know(Some(fault.clone()));
                }
                warn!(model = self.name(), ms, %fault, "the model gave no answer: {fault}");
            }
        }
        answer
    }

    async fn patiently(&self, ask: &Ask, until: Instant) -> Result<Answer, ModelError> {
        let (mut tries, mut pause) = (0, PAUSE);
        loop {
            let fault = match self.in_its_words(ask).await {
                Err(fault) if fault.is_safe_to_repeat() && tries < TRIES_MORE => fault,
                answer => return answer,
            };
            let wait = match fault {
                ModelError::Busy(Some(wait)) => wait,
                _ => pause,
            };
            // No time left to wait for it: said now rather than later.
            if Instant::now() + wait >= until {
                return Err(fault);
            }
            sleep(wait).await;
            (tries, pause) = (tries + 1, pause * 2);
        }
    }

    /// Leaves out what the server refuses by name, and remembers that once it has answered.
    async fn in_its_words(&self, ask: &Ask) -> Result<Answer, ModelError> {
        let known = *locked(&self.0.dialect);
        let mut dialect = known;
        for _ in 0..DIALECTS_MAX {
            let response = self.send(ask, dialect).await?;
            let status = response.status();
            if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) {
                let answer = read(response, ask).await;
                if answer.is_ok() && dialect != known {
                    *locked(&self.0.dialect) = dialect;
                }
                return answer;
            }
            let words = bounded(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
            match dialect.without_what(&String::from_utf8_lossy(&words), ask.form.is_some()) {
                Some(other) => dialect = other,
                None => return Err(ModelError::Refused(status.as_u16())),
            }
        }
        Err(ModelError::Refused(StatusCode::BAD_REQUEST.as_u16()))
    }

    async fn send(&self, ask: &Ask, dialect: Dialect) -> Result<Response, ModelError> {
        let client = self.0.client.as_ref().ok_or(ModelError::Away)?;
        let body: Value = request(self.name(), ask, dialect);
        self.opened(client.post(self.at("chat/completions")?)).json(&body).send().await.map_err(|cause| fault(&cause))
    }

    fn at(&self, path: &str) -> Result<Url, ModelError> {
        self.0.settings.url.join(path).map_err(|_| ModelError::Away)
    }

    /// With the key, which reqwest then shows in no debug output either.
    fn opened(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.0.settings.key {
            Some(key) => request.bearer_auth(key.secret()),
            None => request,
        }
    }

    /// Is the server there? From what was last seen of it, where that is a few seconds old at most; else one small request, whoever asks.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn look(&self) -> Result<(), ModelError> {
        if let Some(known) = self.fresh() {
            return known;
        }
        let _one = self.0.looking.lock().await;
        if let Some(known) = self.fresh() {
            return known;
        }
        let outage = match timeout(LOOK_TIMEOUT, self.list()).await {
            Ok(found) => found.err(),
            Err(_) => Some(ModelError::Slow(LOOK_TIMEOUT)),
        };
        if let Some(outage) = &outage {
            warn!(model = self.name(), "{outage}");
        }
        self.know(outage.clone());
        outage.map_or(Ok(()), Err)
    }

    /// Is it known, without asking, that it is away?
    pub fn is_known_to_be_away(&self) -> bool {
        matches!(self.fresh(), Some(Err(_)))
    }

    fn fresh(&self) -> Option<Result<(), ModelError>> {
        let known = locked(&self.0.known);
        let known = known.as_ref().filter(|known| known.is_fresh())?;
        Some(known.outage.clone().map_or(Ok(()), Err))
    }

    fn know(&self, outage: Option<ModelError>) {
        *locked(&self.0.known) = Some(Known { at: Instant::now(), outage });
    }

    /// The list of models costs nobody anything. Not every server has one: that it says so is a sign of life.
    async fn list(&self) -> Result<(), ModelError> {
        let client = self.0.client.as_ref().ok_or(ModelError::Away)?;
        let response = self.opened(client.get(self.at("models")?)).send().await.map_err(|cause| fault(&cause))?;
        match response.status().as_u16() {
            status @ (401 | 403) => Err(ModelError::Refused(status)),
            501 => Ok(()),
            status @ 500.. => Err(ModelError::Broken(status)),
            _ => Ok(()),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// reqwest's words name the URL; ours do not.
fn fault(cause: &reqwest::Error) -> ModelError {
    if cause.is_connect() || cause.is_builder() { ModelError::Away } else { ModelError::CutOff }
}

async fn read(response: Response, ask: &Ask) -> Result<Answer, ModelError> {
    let status = response.status();
    match status.as_u16() {
        200..=299 => {}
        429 | 503 => return Err(ModelError::Busy(retry_after(&response))),
        status @ 500.. => return Err(ModelError::Broken(status)),
        status => return Err(ModelError::Refused(status)),
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_owned()).unwrap_or_default();
    let tokens = usize::try_from(ask.tokens_max).unwrap_or(usize::MAX);
    let bytes_max = WIRE_BYTES_BASE.saturating_add(tokens.saturating_mul(WIRE_BYTES_PER_TOKEN));
    let mut heard = Heard::of_at_most(ask.tokens_max);
    // By what came, not by what was asked for: a server may stream or not as it likes.
    if !kind.starts_with(b"text/event-stream") {
        heard.hear(&bounded(response, bytes_max).await?)?;
        return heard.whole();
    }
    let pieces = pieces(response, bytes_max).eventsource();
    pin_mut!(pieces);
    while let Some(event) = pieces.next().await {
        use eventsource_stream::EventStreamError;
        match event {
            Ok(event) if event.data == "[DONE]" => break,
            Ok(event) if event.data.is_empty() => {}
            Ok(event) => heard.hear(event.data.as_bytes())?,
            Err(EventStreamError::Transport(fault)) => return Err(fault),
            Err(_) => return Err(ModelError::Garbled),
        }
    }
    heard.whole()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: f32 = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f32(seconds).ok()
}

/// The body's pieces as they come, up to so many bytes.
fn pieces(response: Response, bytes_max: usize) -> impl futures::Stream<Item = Result<axum::body::Bytes, ModelError>> {
    try_unfold((response, bytes_max), |(mut response, left)| async move {
        let Some(piece) = response.chunk().await.map_err(|_| ModelError::CutOff)? else { return Ok(None) };
        let left = left.checked_sub(piece.len()).ok_or(ModelError::TooLong)?;
        Ok(Some((piece, (response, left))))
    })
}

async fn bounded(response: Response, bytes_max: usize) -> Result<Vec<u8>, ModelError> {
    let pieces = pieces(response, bytes_max);
    pin_mut!(pieces);
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece?);
    }
    Ok(body)
}
