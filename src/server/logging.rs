//! Log lines, on stderr: stdout belongs to what a command answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::settings::{LogFormat, Settings};

/// Starts logging. `level`: of our own lines, where the settings say nothing.
pub fn start(settings: &Settings, level: &str) {
    let filter = filter(settings.log_level.as_deref().unwrap_or(level));
    let lines =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_env_filter(filter);
    // A second start, in tests, changes nothing.
    let _ = match settings.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// A bare level is ours alone: at `debug`, HTTP libraries tell URLs, which may hold keys, and MCP's tells payments. What callers do wrong is
/// no warning.
fn filter(level: &str) -> EnvFilter {
    let is_word = level.bytes().all(|b| b.is_ascii_alphabetic());
    EnvFilter::new(if is_word { format!("warn,rmcp=error,coinslot={level}") } else { level.to_owned() })
}
