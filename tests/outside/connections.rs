//! Connections that say nothing, say it slowly, or are too many (S4).

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use coinslot::server::listen::{Patience, Rules, listen_by};
use futures::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, Semaphore, oneshot},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

const HOUR: Duration = Duration::from_secs(3600);
/// What has not happened by then does not happen.
const PATIENTLY: Duration = Duration::from_secs(10);
const WORD: &str = "hello";

fn rules(head: Duration, idle: Duration) -> Rules {
    Rules { patience: Patience { head, idle }, ..Rules::default() }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { WORD })).route("/", post(|body: Bytes| async move { body }))
}

/// Open until the guard is dropped.
async fn open(router: Router, rules: Rules) -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(listen_by(listener, router, rules, stop.clone()));
    (address, stop.drop_guard())
}

async fn connect(shop: SocketAddr) -> TcpStream {
    TcpStream::connect(shop).await.unwrap()
}

async fn connect_from(own: &str, shop: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{own}:0").parse().unwrap()).unwrap();
    socket.connect(shop).await.unwrap()
}

/// `None`: the connection was closed before it was answered, or it was refused.
async fn ask(connection: &mut TcpStream, path: &str) -> Option<String> {
    let asked = async {
        connection.write_all(format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n").as_bytes()).await.ok()?;
        let (mut told, mut piece) = (String::new(), [0; 1024]);
        while !told.ends_with(WORD) && !told.ends_with('}') {
            let length = connection.read(&mut piece).await.ok().filter(|length| *length > 0)?;
            told.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        told.starts_with("HTTP/1.1 200").then_some(told)
    };
    timeout(PATIENTLY, asked).await.expect("it is answered, or closed")
}

/// All that is still said, until the end.
async fn closes(connection: &mut (impl AsyncReadExt + Unpin), whose: &str) -> Vec<u8> {
    let mut told = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENTLY, connection.read_to_end(&mut told)).await.unwrap_or_else(|_| panic!("{whose} is closed"));
    told
}

#[tokio::test]
async fn s4_who_says_nothing_is_closed_in_the_time_for_a_head_and_who_was_answered_is_kept() {
    let (shop, _open) = open(hello(), rules(Duration::from_millis(300), HOUR)).await;
    let mut kept = connect(shop).await;
    assert!(ask(&mut kept, "/").await.is_some());
    const SETTINGS: &str = "\0\0\0\u{4}\0\0\0\0\0";
    for said in [
        "",
        "G",
        "GET / HT",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: shop\r\n",
        "\r\n\r\n",
        "PRI",
        "PRI * HTTP/2.0",
        "PRI * HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SETTINGS}"),
    ] {
        let mut silent = connect(shop).await;
        silent.write_all(said.as_bytes()).await.unwrap();
        let told = closes(&mut silent, said).await;
        assert!(!told.starts_with(b"HTTP/1.1 2"), "{said:?}: {}", String::from_utf8_lossy(&told));
    }
    // A head that came with the one before it is none less.
    let mut two = connect(shop).await;
    two.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\nGET / HTTP/1.1\r\nhost: shop\r\n\r\nGET / HT").await.unwrap();
    let told = closes(&mut two, "half of a third request").await;
    assert_eq!(String::from_utf8(told).unwrap().matches("HTTP/1.1 200").count(), 2, "the whole ones are answered");
    // Far more than the time for a head has passed meanwhile.
    assert!(ask(&mut kept, "/").await.is_some(), "a proxy or a browser uses it again");
    // From the first byte of the next request on, it is a head again.
    kept.write_all(b"GET / HT").await.unwrap();
    closes(&mut kept, "a head that is not ended").await;
}

#[tokio::test]
async fn s4_one_byte_at_a_time_is_no_reason_to_wait_longer() {
    let (shop, _open) =
        open(hello(), Rules { body_time: Duration::from_millis(300), ..rules(Duration::from_millis(300), HOUR) }).await;
    for begun in ["", "GET / HTTP/1.1\r\nx-long: ", "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 100000\r\n\r\n"] {
        let (mut reads, mut writes) = connect(shop).await.into_split();
        writes.write_all(begun.as_bytes()).await.unwrap();
        let drips = tokio::spawn(async move {
            while writes.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let told = closes(&mut reads, begun).await;
        assert!(!told.starts_with(b"HTTP/1.1 2"), "{begun:?}: {}", String::from_utf8_lossy(&told));
        drips.abort();
    }
}

#[tokio::test]
async fn s4_a_connection_without_a_next_request_has_an_end() {
    let (shop, _open) = open(hello(), rules(HOUR, Duration::from_millis(300))).await;
    let mut idle = connect(shop).await;
    assert!(ask(&mut idle, "/").await.is_some());
    closes(&mut idle, "an idle connection").await;
}

/// A request that takes long is no silence; an answer that nobody takes is.
#[tokio::test]
async fn s4_work_is_waited_for_and_an_answer_that_nobody_takes_is_not() {
    let (given_up, gone) = oneshot::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(Some(given_up)));
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, waits) = (entered.clone(), go_on.clone());
    let endless = move || async move {
        let held = held.lock().unwrap().take();
        let pieces = stream::unfold(held, |held| async move {
            Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'a'; 65_536])), held))
        });
        Body::from_stream(pieces)
    };
    let works = move || async move {
        told.notify_one();
        waits.notified().await;
        WORD
    };
    let router = hello().route("/endless", get(endless)).route("/works", get(works));
    let (shop, _open) = open(router, rules(Duration::from_millis(300), Duration::from_millis(300))).await;
    let asked = tokio::spawn(async move { ask(&mut connect(shop).await, "/works").await });
    entered.notified().await;

    let mut deaf = connect(shop).await;
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    assert!(timeout(PATIENTLY, gone).await.expect("its answer is not kept for it").is_err());
    // The time of the work has been far longer than that of any silence.
    go_on.notify_one();
    assert!(asked.await.unwrap().is_some());
}

#[tokio::test]
async fn s4_an_address_has_so_many_connections_and_its_quietest_make_room() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (told, waits) = (entered.clone(), go_on.clone());
    let works = move || async move {
        told.notify_one();
        waits.acquire().await.unwrap().forget();
        WORD
    };
    let few = Rules { of_address: 3, unbounded: Vec::new(), ..rules(HOUR, HOUR) };
    let (shop, _open) = open(hello().route("/works", get(works)), few).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(connect(shop).await);
    }
    // Silent for ever, and never in the way of the same address, nor of another one.
    let mut honest = connect(shop).await;
    assert!(ask(&mut honest, "/").await.is_some());
    for connection in &mut silent[..18] {
        closes(connection, "one of too many").await;
    }
    let mut other = connect_from("127.0.0.2", shop).await;
    assert!(ask(&mut other, "/").await.is_some());

    // All of the address's share are at work: what they do is not cut, and the next one is told so.
    let mut working = Vec::new();
    for _ in 0..3 {
        working.push(tokio::spawn(async move { ask(&mut connect(shop).await, "/works").await }));
        entered.notified().await;
    }
    let mut refused = connect(shop).await;
    let said = String::from_utf8(closes(&mut refused, "one beyond the share").await).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 429 ") && said.contains("retry-after: 5") && said.contains(r#""code":"rate_limited""#),
        "{said}"
    );
    assert!(ask(&mut other, "/").await.is_some(), "it is nobody else's trouble");
    go_on.add_permits(3);
    for worked in working {
        assert!(worked.await.unwrap().is_some());
    }
}

#[tokio::test]
async fn s4_what_comes_from_this_machine_or_a_trusted_proxy_is_many_visitors() {
    let (shop, _open) = open(hello(), Rules::default()).await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(connect(shop).await);
    }
    for connection in &mut all {
        assert!(ask(connection, "/").await.is_some(), "none of them had to leave");
    }
}

#[tokio::test]
async fn s4_where_all_places_are_taken_the_quietest_makes_room() {
    let (shop, _open) = open(hello(), Rules { in_all: 4, ..rules(HOUR, HOUR) }).await;
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(connect(shop).await);
    }
    for _ in 0..3 {
        assert!(ask(&mut connect(shop).await, "/").await.is_some());
    }
}

/// The whole of a process, so that its descriptors can be counted out.
const CHILD: &str = "COINSLOT_TEST_S4_CHILD";

/// `descriptors`; `bounded`: places are counted by them.
struct Few {
    child: Child,
    shop: SocketAddr,
}

impl Few {
    fn start(descriptors: u64, bounded: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["connections::s4_child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{descriptors} {bounded}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("listens on ")?.1.parse().unwrap()));
        Self { shop: address.expect("it says where it listens"), child }
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing, unless it was started by [`Few`].
#[test]
fn s4_child() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let Ok(told) = std::env::var(CHILD) else { return };
    let (descriptors, bounded) = told.split_once(' ').unwrap();
    let limit = Some(descriptors.parse().unwrap());
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let defaults = Rules::default();
    let rules = if bounded == "true" { defaults } else { Rules { in_all: 10_000, ..defaults } };
    // What a request needs itself: a file, a connection to the database.
    let works = || async { if std::fs::File::open("/proc/self/status").is_ok() { WORD } else { "no descriptor" } };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listens on {}", listener.local_addr().unwrap());
        listen_by(listener, Router::new().route("/", get(works)), rules, CancellationToken::new()).await;
    });
}

#[tokio::test]
async fn s4_260_silent_connections_at_256_descriptors_do_not_end_the_service() {
    let few = Few::start(256, true);
    let mut silent = Vec::new();
    for _ in 0..260 {
        silent.push(connect(few.shop).await);
    }
    let began = std::time::Instant::now();
    for _ in 0..5 {
        assert!(ask(&mut connect(few.shop).await, "/").await.is_some());
    }
    assert!(began.elapsed() < Duration::from_secs(8), "long before the silent ones are closed for their silence");
    drop(silent);
    assert!(ask(&mut connect(few.shop).await, "/").await.is_some());
}

/// As where something else of the process has taken them: taking connections goes on all the same.
#[tokio::test]
async fn s4_a_process_without_descriptors_goes_on_to_take_connections() {
    let few = Few::start(64, false);
    let mut silent = Vec::new();
    for _ in 0..260 {
        silent.push(connect(few.shop).await);
    }
    // A file of its own may be missing; an answer is not.
    let mut last = connect(few.shop).await;
    last.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(closes(&mut last, "a request that asks for it").await.starts_with(b"HTTP/1.1 200"));
}
