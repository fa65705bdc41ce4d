//! A load of requests, each sent when the one before it is answered, on connections that stay open.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

use crate::Result;

/// An answer is a few kilobytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Answers a second. Anything but a 402 is an error.
pub async fn load(server: SocketAddr, request: &[u8], connections: usize, time: Duration) -> Result<f64> {
    let request: Arc<[u8]> = request.into();
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..connections {
        all.spawn(converse(server, request.clone(), begun + time));
    }
    let mut answers = 0_u32;
    while let Some(connection) = all.join_next().await {
        answers += connection??;
    }
    Ok(f64::from(answers) / begun.elapsed().as_secs_f64())
}

/// One answer, in its bytes.
pub async fn answer(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut connection = Connection::open(server).await?;
    let length = connection.ask(request).await?;
    Ok(connection.buffer.get(..length).unwrap_or_default().to_vec())
}

async fn converse(server: SocketAddr, request: Arc<[u8]>, until: Instant) -> io::Result<u32> {
    let mut connection = Connection::open(server).await?;
    let mut answers = 0;
    while Instant::now() < until {
        connection.ask(&request).await?;
        answers += 1;
    }
    Ok(answers)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Of the last answer: bytes of its head, and of all.
    last: (usize, usize),
}

impl Connection {
    async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES_MAX], last: (0, 0) })
    }

    /// The bytes of the answer, at the beginning of the buffer.
    async fn ask(&mut self, request: &[u8]) -> io::Result<usize> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let room = self.buffer.get_mut(filled..).filter(|room| !room.is_empty()).ok_or(io::ErrorKind::FileTooLarge)?;
            match self.stream.read(room).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
            let read = self.buffer.get(..filled).unwrap_or_default();
            if let Some(last) = lengths(read, self.last)? {
                self.last = last;
                return if last.1 == filled { Ok(filled) } else { Err(io::ErrorKind::InvalidData.into()) };
            }
        }
    }
}

/// Bytes of its head, and of all. `None`: there is more to come. Mostly they are those of the answer before.
fn lengths(answer: &[u8], last: (usize, usize)) -> io::Result<Option<(usize, usize)>> {
    const END: &[u8] = b"\r\n\r\n";
    let ends_at = |head: usize| head.checked_sub(END.len()).and_then(|end| answer.get(end..head)) == Some(END);
    if !answer.starts_with(b"HTTP/1.1 402 ") && answer.len() >= 13 {
        return Err(io::Error::other(String::from_utf8_lossy(answer.get(..200).unwrap_or(answer)).into_owned()));
    }
    if answer.len() == last.1 && ends_at(last.0) {
        return Ok(Some(last));
    }
    let Some(end) = answer.windows(END.len()).position(|bytes| bytes == END) else { return Ok(None) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let body = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let body = body.ok_or_else(|| io::Error::other("an answer without a length"))?;
    let lengths = (end + END.len(), end + END.len() + body);
    Ok((answer.len() >= lengths.1).then_some(lengths))
}
