//! The shop's secret: 32 bytes that seals and run keys are derived from. From the settings, else made once and kept.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

/// The file's name in the data directory.
pub const FILE: &str = "secret";

/// Exactly 64 hexadecimal digits.
pub fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut secret = [0; 32];
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(secret)
}

/// Reads the data directory's secret, or makes it, for its owner's eyes only. Two processes that start at once end with the same one.
///
/// # Errors
/// The file cannot be read or made, or holds something else: then nothing is overwritten.
pub fn of(data: &Path) -> io::Result<[u8; 32]> {
    let file = data.join(FILE);
    if let Some(secret) = read(&file)? {
        return Ok(secret);
    }
    let secret: [u8; 32] = rand::random();
    let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    // Written whole under another name, then linked: nobody ever reads half a secret, and an existing one is never replaced.
    let draft = data.join(format!(".{FILE}.{}.{:08x}", std::process::id(), rand::random::<u32>()));
    private().create_new(true).write(true).open(&draft)?.write_all(format!("{text}\n").as_bytes())?;
    let linked = fs::hard_link(&draft, &file);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(secret),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            read(&file)?.ok_or_else(|| io::Error::other(format!("{} vanished", file.display())))
        }
        Err(cause) => Err(cause),
    }
}

/// `None`: there is no such file.
fn read(file: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut text = String::new();
    match fs::File::open(file) {
        Ok(open) => open.take(200).read_to_string(&mut text)?,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    match parse(text.trim()) {
        Some(secret) => Ok(Some(secret)),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} does not hold 64 hexadecimal digits: restore it; without it, open offers and run links are void",
                file.display()
            ),
        )),
    }
}

#[cfg(unix)]
fn private() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> fs::OpenOptions {
    fs::OpenOptions::new()
}
