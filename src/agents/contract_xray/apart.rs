//! Strangers' code is examined in a process of its own, with limits of its own: what was written to take all memory or never
//! to end takes that process with it, not the shop.
//!
//! `main` calls [`begin`] before anything else. Where it did not (a test, another program around this library), the work is
//! done on a thread, without those limits.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::examine::{Examined, Refusal, examine, examine_telling};

/// The word that makes this program examine what it reads and print what it found.
const WORD: &str = "examine-contract";
/// Seconds of processor time. Ordinary contracts take a tenth of one, the largest that Monad allows a few.
const CPU_SECONDS: u64 = 3;
/// Address space, bytes. Ordinary contracts take a few megabytes.
const MEMORY_BYTES: u64 = 768 * 1024 * 1024;
/// Within the card's time limit, so that the answer is ours. Met before the processor time only on a crowded machine.
const WALL: Duration = Duration::from_secs(8);
/// Of the answer; a thousand functions make a tenth of it.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// At once, whatever the number of workers.
static PLACES: Semaphore = Semaphore::const_new(2);
/// This program, once `main` has said that it answers to [`WORD`].
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same code will always end so.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine has no place for it right now.
    #[error("The analyser is busy right now.")]
    Busy,
}

/// The first line of `main`: where this process was started to examine code, does that and ends it; else remembers how.
pub fn begin() {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == WORD) {
        std::process::exit(match answer() {
            Ok(()) => 0,
            Err(_) => 1,
        });
    }
    // Linux's own name for the running program also holds after its file was replaced.
    let program = if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() };
    if let Ok(program) = program {
        examine_with(program);
    }
}

/// Examines with this program from now on: one whose `main` begins with [`begin`].
pub fn examine_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The child's whole life: first a line with what is known before the dearest part of the work, then one with everything.
fn answer() -> std::io::Result<()> {
    limit_this_process()?;
    let mut code = Vec::new();
    std::io::stdin().lock().read_to_end(&mut code)?;
    let tell = |told: &Result<Examined, Refusal>| {
        let mut line = serde_json::to_vec(told)?;
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    };
    let mut told = Ok(());
    let all = examine_telling(&code, |so_far| told = tell(&Ok(so_far.clone())));
    told?;
    tell(&all)
}

#[cfg(unix)]
fn limit_this_process() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Cpu, CPU_SECONDS)?;
    limit(Resource::As, MEMORY_BYTES)?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process() -> std::io::Result<()> {
    Ok(())
}

/// Everything, or what is known before the dearest part of the work where that part is too dear (`complete` is false then).
///
/// # Errors
/// [`Failure::Refused`] for code that is too much even so, [`Failure::Busy`] where the time went by before its turn.
pub async fn examined(code: Vec<u8>) -> Result<Examined, Failure> {
    examined_within(WALL, code).await
}

/// The same with a longer or shorter patience.
pub async fn examined_within(wall: Duration, code: Vec<u8>) -> Result<Examined, Failure> {
    let until = Instant::now() + wall;
    let place = timeout_at(until, PLACES.acquire()).await.ok().and_then(Result::ok).ok_or(Failure::Busy)?;
    match PROGRAM.get() {
        Some(program) => in_a_process(program.clone(), code, until).await,
        None => {
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                examine(&code)
            });
            let ended = timeout_at(until, work).await.map_err(|_| Failure::Busy)?;
            ended.map_err(|_| Refusal::TooExpensive)?.map_err(Failure::Refused)
        }
    }
}

async fn in_a_process(program: PathBuf, code: Vec<u8>, until: Instant) -> Result<Examined, Failure> {
    let mut child = tokio::process::Command::new(program)
        .arg(WORD)
        .env_clear() // it needs none of our secrets
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|_| Failure::Busy)?;
    let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else { return Err(Failure::Busy) };
    let mut answer = Vec::new();
    let ended = timeout_at(until, async {
        // It reads all before it writes anything, so one after the other cannot lock up. A child that is gone is seen below.
        let _ = to.write_all(&code).await;
        drop(to);
        let _ = from.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
        child.wait().await
    })
    .await;
    // A line that was cut is no line.
    let whole = answer.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &answer[..end]);
    let last = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match (serde_json::from_slice::<Result<Examined, Refusal>>(last), ended) {
        (Ok(told), _) => told.map_err(Failure::Refused),
        // It met one of its limits, or evmole a case that its author did not think of.
        (Err(_), Ok(Ok(_))) => Err(Failure::Refused(Refusal::TooExpensive)),
        (Err(_), Ok(Err(_)) | Err(_)) => Err(Failure::Busy),
    }
}
