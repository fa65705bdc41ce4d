//! (under construction)

pub fn start(_desk: super::desk::Desk, _stop: tokio_util::sync::CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
    Vec::new()
}
