//! A TCP proxy in front of a server, whose connections can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    withheld: Arc<Withheld>,
    cuts: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

/// Whose replies do not reach the client.
#[derive(Debug, Default)]
struct Withheld {
    connections: AtomicU64,
    /// The last of these connections.
    to: AtomicU64,
}

impl Proxy {
    /// Starts a proxy on a free port of the loopback interface.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("no free port");
        let port = listener.local_addr().expect("an address").port();
        let withheld = Arc::new(Withheld::default());
        let (cuts, cut) = watch::channel(0);
        let accepting = tokio::spawn({
            let withheld = withheld.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(connect(client, target, withheld.clone(), cut.clone()));
                }
            }
        });
        Self {
            port,
            withheld,
            cuts,
            accepting,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, what the server says on the present connections does not reach the client.
    pub fn withhold_replies(&self) {
        let present = self.withheld.connections.load(Ordering::SeqCst);
        self.withheld.to.store(present, Ordering::SeqCst);
    }

    /// Closes all connections. Later ones work.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, target: u16, withheld: Arc<Withheld>, mut cut: watch::Receiver<u64>) {
    cut.mark_unchanged();
    let number = withheld.connections.fetch_add(1, Ordering::SeqCst) + 1;
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_withheld = || number <= withheld.to.load(Ordering::SeqCst);
    tokio::select! {
        () = pass(from_client, to_server, || false) => {}
        () = pass(from_server, to_client, is_withheld) => {}
        // An error says that the proxy is gone.
        _ = cut.changed() => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_withheld: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !is_withheld() && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
