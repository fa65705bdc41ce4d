//! Strangers' data is worked on in a process of its own, with limits of its own: what was written to take all memory, to overflow the
//! stack or never to end takes that process with it, not the shop.
//!
//! A piece of such work is a plain function from bytes to bytes, under a name ([`Apart`]). `main` calls [`begin`] with all of them before
//! anything else. Where it did not (a test, another program around this library), the work is done on a thread, without those limits.

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

/// This program, once `main` has said that it answers to the works' names.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
/// Of the thread that works, bytes. It is only touched as far as it is used.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Before each answer: how many bytes follow.
const LENGTH_BYTES: usize = size_of::<u64>();

/// One kind of work, and what it may take.
pub struct Apart {
    /// The word that makes this program do the work on what it reads, and print what it found.
    pub name: &'static str,
    pub limits: Limits,
    /// At once, whatever the number of workers.
    pub places: Semaphore,
    /// It may tell more than once, each time knowing more: the last that was told whole is the answer.
    pub work: Work,
}

/// What is done with an input: `tell` takes what was found.
pub type Work = fn(input: &[u8], tell: &mut dyn FnMut(&[u8]));

/// What one piece of work may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Of everything that is told.
    pub answer_bytes_max: u64,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It met one of its limits, or a case that the code's author did not think of. The same input will always end so.
    Exhausted,
    /// The machine has no place for it right now.
    Busy,
}

/// The first line of `main`: where this process was started to do one of these works, does that and ends it; else remembers how.
pub fn begin(works: &[&'static Apart]) {
    let mut words = std::env::args_os().skip(1);
    if let (Some(name), None) = (words.next(), words.next())
        && let Some(apart) = works.iter().find(|apart| name == apart.name)
    {
        std::process::exit(if answer(apart).is_ok() { 0 } else { 1 });
    }
    // Linux's own name for the running program also holds after its file was replaced.
    let program = if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() };
    if let Ok(program) = program {
        work_with(program);
    }
}

/// Works with this program from now on: one whose `main` begins with [`begin`].
pub fn work_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The child's whole life.
fn answer(apart: &'static Apart) -> std::io::Result<()> {
    limit_this_process(apart.limits)?;
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let works = move || {
        let mut told = Ok(());
        (apart.work)(&input, &mut |answer| {
            if told.is_ok() {
                told = tell(answer);
            }
        });
        told
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(works)?;
    thread.join().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
}

fn tell(answer: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(&(answer.len() as u64).to_le_bytes())?;
    out.write_all(answer)?;
    out.flush()
}

#[cfg(unix)]
fn limit_this_process(limits: Limits) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Cpu, limits.cpu_seconds)?;
    limit(Resource::As, limits.memory_bytes)?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process(_: Limits) -> std::io::Result<()> {
    Ok(())
}

impl Apart {
    /// The last answer that was told before the work ended, of itself or by a limit.
    ///
    /// # Errors
    /// [`Failure::Exhausted`] for an input that is too much, [`Failure::Busy`] where `wall` went by before its turn, or before it met a limit
    /// of its own.
    pub async fn run(&'static self, wall: Duration, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let until = Instant::now() + wall;
        let place = timeout_at(until, self.places.acquire()).await.ok().and_then(Result::ok).ok_or(Failure::Busy)?;
        match PROGRAM.get() {
            Some(program) => self.in_a_process(program.clone(), input, until).await,
            None => {
                let work = tokio::task::spawn_blocking(move || {
                    let _place = place;
                    let mut last = None;
                    (self.work)(&input, &mut |answer| last = Some(answer.to_vec()));
                    last
                });
                let ended = timeout_at(until, work).await.map_err(|_| Failure::Busy)?;
                ended.ok().flatten().ok_or(Failure::Exhausted)
            }
        }
    }

    async fn in_a_process(&self, program: PathBuf, input: Vec<u8>, until: Instant) -> Result<Vec<u8>, Failure> {
        let mut child = tokio::process::Command::new(program)
            .arg(self.name)
            .env_clear() // it needs none of our secrets
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| Failure::Busy)?;
        let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else { return Err(Failure::Busy) };
        let mut told = Vec::new();
        let ended = timeout_at(until, async {
            // It reads all before it writes anything, so one after the other cannot lock up. A child that is gone is seen below.
            let _ = to.write_all(&input).await;
            drop(to);
            let _ = from.take(self.limits.answer_bytes_max).read_to_end(&mut told).await;
            child.wait().await
        })
        .await;
        match (last_whole(&told), ended) {
            (Some(answer), _) => Ok(answer.to_vec()),
            (None, Ok(Ok(_))) => Err(Failure::Exhausted),
            (None, Ok(Err(_)) | Err(_)) => Err(Failure::Busy),
        }
    }
}

/// What was cut is no answer.
fn last_whole(told: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut last) = (told, None);
    while let Some((length, after)) = rest.split_at_checked(LENGTH_BYTES) {
        let Some((answer, after)) =
            usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok().and_then(|n| after.split_at_checked(n))
        else {
            break;
        };
        (last, rest) = (Some(answer), after);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    static TWICE: Apart = Apart {
        name: "say-it-twice",
        limits: Limits { cpu_seconds: 1, memory_bytes: 1 << 30, answer_bytes_max: 1 << 20 },
        places: Semaphore::const_new(1),
        work: |input, tell| {
            tell(b"so far");
            assert!(input != b"break", "a case that nobody thought of");
            tell(&[input, input].concat());
        },
    };

    #[tokio::test]
    async fn the_last_that_was_told_is_the_answer() {
        assert_eq!(TWICE.run(Duration::from_secs(5), b"ab".to_vec()).await, Ok(b"abab".to_vec()));
    }

    #[tokio::test]
    async fn work_that_breaks_is_a_failure_and_leaves_its_place() {
        for _ in 0..3 {
            assert_eq!(TWICE.run(Duration::from_secs(5), b"break".to_vec()).await, Err(Failure::Exhausted));
        }
    }

    #[test]
    fn an_answer_that_was_cut_does_not_count() {
        let framed = |answer: &[u8]| [&(answer.len() as u64).to_le_bytes()[..], answer].concat();
        let two = [framed(b"first\n"), framed(b"second")].concat();
        assert_eq!(last_whole(&two), Some(&b"second"[..]));
        assert_eq!(last_whole(&two[..two.len() - 1]), Some(&b"first\n"[..]));
        assert_eq!(last_whole(&framed(b"")), Some(&b""[..]));
        assert_eq!(last_whole(&u64::MAX.to_le_bytes()), None);
        assert_eq!(last_whole(b""), None);
    }
}
