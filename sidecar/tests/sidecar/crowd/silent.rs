//! Connections that say nothing, or not all that they should.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::server::{Server, Serves};
use super::{LONG, SYSTEMS, System, call};
use crate::broken::unreachable;
use crate::caller::Caller;
use crate::running::Running;
use crate::tls::{CERT, KEY};

#[tokio::test(start_paused = true)]
async fn half_open_connections_are_closed_in_time() {
    let server = Server::new(System::SpiceDb, Serves::default()).await;
    let url = format!("http://{}", server.address);
    let plain = ["--upstream", &url, "--http-upstream", &url];
    let tls = [&plain[..], &["--tls-cert", CERT, "--tls-key", KEY]].concat();
    for (arguments, beginnings) in [
        (
            &plain[..],
            &[&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nhost: h\r\n"][..],
        ),
        (&tls, &[b"", b"\x16\x03\x01\x01\x00"]),
    ] {
        let sidecar = Running::with(arguments).await;
        for address in &sidecar.addresses {
            for beginning in beginnings {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(beginning).await.unwrap();
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
            }
        }
    }
}

/// The program itself, with few descriptors.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    async fn with(descriptors: u32, arguments: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -n {descriptors}; exec \"$@\""))
            .args(["sh", env!("CARGO_BIN_EXE_zookie-sidecar")])
            .args([
                "--engine",
                "postgres",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("it says where it listens");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(',').next());
        let address = address.expect("an address").parse().unwrap();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }
}

#[tokio::test]
async fn silent_connections_do_not_lock_other_callers_out() {
    for system in SYSTEMS {
        let server = Server::new(system, Serves::default()).await;
        let url = format!("http://{}", server.address);
        let mut program = Program::with(256, &["--system", system.name(), "--upstream", &url]).await;
        let mut silent = Vec::new();
        for n in 0..300 {
            let mut stream = TcpStream::connect(program.address).await.unwrap();
            if n % 2 == 0 {
                stream.write_all(b"PRI").await.unwrap();
            }
            silent.push(stream);
        }
        for _ in 0..5 {
            let served = async {
                let caller = Caller::patient(program.address).await;
                let (request, body) = system.check();
                call(&caller, request, body).await.unwrap()
            };
            let whole = timeout(LONG, served).await.expect("a reply");
            assert_eq!(whole.grpc_status(), "0");
        }
        program.child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_greeting_is_served() {
    let (_taken, address) = unreachable();
    let sidecar = Running::before(address).await;
    let mut stream = TcpStream::connect(sidecar.address()).await.unwrap();
    let mut reply = vec![0; 13];
    for byte in b"PRO /x HTTP/1.1\r\nhost: h\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply, b"HTTP/1.1 502 ");
}
