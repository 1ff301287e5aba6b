//! All of it at once, beside honest callers, who must lose nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::honest::Honest;
use super::server::Serves;
use super::{EMPTY, LONG, System, both_ways, call, post, rows, status};
use crate::caller::Caller;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
struct Load {
    lasts: Duration,
    honest: usize,
    /// Streams cancelled in a second.
    cancels: u32,
    unread: usize,
    silent: usize,
    /// How often in a second everything else happens.
    rounds: u32,
}

const WHOLE: Load = Load {
    lasts: Duration::from_secs(120),
    honest: 200,
    cancels: 110,
    unread: 700,
    silent: 300,
    rounds: 5,
};

const SMALL: Load = Load {
    lasts: Duration::from_secs(3),
    honest: 10,
    cancels: 30,
    unread: 120,
    silent: 30,
    rounds: 2,
};

#[derive(Debug, Default)]
struct Counted {
    served: AtomicUsize,
    disturbances: AtomicUsize,
    slowest_ms: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honest_callers_lose_nothing_in_a_few_seconds() {
    soak(SMALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes two minutes for each system and each way: run it with --release"]
async fn honest_callers_lose_nothing_in_two_minutes() {
    soak(WHOLE).await;
}

async fn soak(load: Load) {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let counted = on(system, address, load).await;
        println!("{system:?} at {address}: {counted:?}");
    })
    .await;
}

/// The load on one address. Fails with the first thing that an honest caller loses.
async fn on(system: System, address: SocketAddr, load: Load) -> Arc<Counted> {
    let counted = Arc::new(Counted::default());
    let mut kept = Vec::new();
    for n in 0..load.silent {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"PRI").await.unwrap();
        }
        kept.push(stream);
    }
    let mut unread = Vec::new();
    for n in 0..load.unread {
        if n % 100 == 0 {
            unread.push((Caller::patient(address).await, Vec::new()));
        }
        let (caller, streams) = unread.last_mut().unwrap();
        streams.push(rows(caller, system, 1000, 64 << 10).await);
    }

    let until = Instant::now() + load.lasts;
    let mut honest = JoinSet::new();
    for _ in 0..load.honest {
        let counted = Arc::clone(&counted);
        honest.spawn(async move {
            let mut honest = Honest::new(system, address).await;
            while Instant::now() < until {
                let begun = Instant::now();
                honest.is_served().await;
                let took = usize::try_from(begun.elapsed().as_millis()).unwrap();
                counted.served.fetch_add(1, Ordering::Relaxed);
                counted.slowest_ms.fetch_max(took, Ordering::Relaxed);
                sleep_until(begun + Duration::from_secs(1)).await;
            }
        });
    }
    let mut others = JoinSet::new();
    let crowd = Arc::new(Crowd {
        system,
        address,
        load,
        until,
        counted: Arc::clone(&counted),
    });
    others.spawn(Arc::clone(&crowd).cancel());
    others.spawn(Arc::clone(&crowd).burst());
    others.spawn(Arc::clone(&crowd).expire());
    others.spawn(Arc::clone(&crowd).large());
    others.spawn(Arc::clone(&crowd).empty());
    others.spawn(crowd.strangers());
    // A caller that loses something panics, and so does this.
    honest.join_all().await;
    others.join_all().await;
    counted
}

/// Rounds at a rate, until the end.
struct Rounds {
    ticks: Interval,
    until: Instant,
    counted: Arc<Counted>,
}

impl Rounds {
    /// Whether there is another one, when it is time for it.
    async fn next(&mut self) -> bool {
        self.ticks.tick().await;
        self.counted.disturbances.fetch_add(1, Ordering::Relaxed);
        Instant::now() < self.until
    }
}

/// Those that misbehave.
struct Crowd {
    system: System,
    address: SocketAddr,
    load: Load,
    until: Instant,
    counted: Arc<Counted>,
}

impl Crowd {
    fn rounds(&self, rate: u32) -> Rounds {
        let mut ticks = interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Rounds {
            ticks,
            until: self.until,
            counted: Arc::clone(&self.counted),
        }
    }

    /// Takes the first row of many, and cancels.
    async fn cancel(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let mut under_way = JoinSet::new();
        let mut rounds = self.rounds(self.load.cancels);
        while rounds.next().await {
            let (caller, system) = (caller.clone(), self.system);
            under_way.spawn(async move {
                let mut body = rows(&caller, system, 20_000, 150).await.into_body();
                timeout(LONG, body.data()).await.expect("a row").unwrap().unwrap();
            });
            while under_way.try_join_next().is_some_and(|row| row.is_ok()) {}
        }
        under_way.join_all().await;
    }

    /// Opens 21 checks beside a watch, and cancels them together.
    async fn burst(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let request = post(self.system.watch()).body(()).unwrap();
        let mut watched = caller.call(request, EMPTY).await.unwrap().into_body();
        let mut rounds = self.rounds(self.load.rounds);
        while rounds.next().await {
            for _ in 0..21 {
                let (request, body) = self.system.check();
                let (_reply, mut stream) = caller.begin(request).await;
                stream.send_data(body, true).unwrap();
                stream.send_reset(Reason::CANCEL);
            }
            let change = timeout(LONG, watched.data()).await.expect("a change");
            let change = change.unwrap().expect("its watch goes on");
            watched.flow_control().release_capacity(change.len()).unwrap();
        }
    }

    /// Gives calls 0 to 2 ms, which is what it is told.
    async fn expire(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let mut n = 0;
        let mut rounds = self.rounds(self.load.rounds * 3);
        while rounds.next().await {
            n += 1;
            let request = post(self.system.passing())
                .header("grpc-timeout", format!("{}m", n % 3))
                .header("x-takes-ms", 100);
            assert_eq!(status(&caller, request.body(()).unwrap(), EMPTY).await, "4");
        }
    }

    /// Sends and gets 200 KiB of headers.
    async fn large(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let mut rounds = self.rounds(self.load.rounds);
        while rounds.next().await {
            let request = post(self.system.passing())
                .header("x-large", "m".repeat(200 << 10))
                .header("x-trailer", 200 << 10);
            let whole = call(&caller, request.body(()).unwrap(), EMPTY).await.unwrap();
            assert_eq!(whole.headers["grpc-status-details-bin"].len(), 200 << 10);
        }
    }

    /// Makes calls without a message.
    async fn empty(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let mut rounds = self.rounds(self.load.rounds);
        while rounds.next().await {
            for path in [self.system.passing(), self.system.check().0.uri().path()] {
                let request = post(path).body(()).unwrap();
                let whole = call(&caller, request, Bytes::new()).await.unwrap();
                assert_eq!(whole.status_alone(), "2");
            }
        }
    }

    /// Has a wrong key, and does not always wait to hear that.
    async fn strangers(self: Arc<Self>) {
        let caller = Caller::patient(self.address).await;
        let mut rounds = self.rounds(self.load.rounds * 10);
        while rounds.next().await {
            let mut request = post(self.system.watch()).body(()).unwrap();
            let wrong = "Bearer wrong".parse().unwrap();
            request.headers_mut().insert("authorization", wrong);
            let (reply, mut stream) = caller.begin(request).await;
            let _ = stream.send_data(EMPTY, true);
            let _ = timeout(Duration::from_millis(2), reply).await;
        }
    }
}
