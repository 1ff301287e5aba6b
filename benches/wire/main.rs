//! Requests a second, and CPU time a request, of an axum and a tonic service on loopback, with the layer and without.

mod ask;
mod history;
mod message;
mod process;
mod rows;
mod serve;
mod table;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use tokio::runtime::Runtime;
use tower_zookie_benches::{Effort, interleaved};

use crate::ask::{Book, CALLERS, Callers, Until};
use crate::history::Questions;
use crate::process::{SERVE, Server};
use crate::rows::{Api, Row};
use crate::table::Turn;

/// Any error; the bench prints it and fails.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What a turn asks before it is measured: every question of those that ask a few, more than once.
const RUN_IN: usize = 512;

fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(SERVE) {
        let place: usize = arguments.next().ok_or("which row?")?.parse()?;
        return serve::run(*Row::all().get(place).ok_or("no such row")?);
    }
    measure(Effort::from_args())
}

fn measure(effort: Effort) -> Result<(), AnyError> {
    let rounds = effort.pick(1, 9, 31);
    let turn = Duration::from_millis(effort.pick(30, 400, 800));
    // The client has one core, as each server has.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let rows = Row::all();
    let mut servers = (0..rows.len()).map(Server::start).collect::<Result<Vec<_>, _>>()?;
    let questions = Questions::load()?;
    let books = [Api::Routes, Api::AuthZen, Api::SpiceDb].map(|api| Arc::new(Book::new(api, &questions)));
    println!(
        "{rounds} rounds; in each, every server is asked for {turn:?} by {CALLERS} callers: over {CALLERS} connections \
         (HTTP/1.1), over one (HTTP/2).\n\
         A server has one thread and the client one; they share this machine's cores with whatever else runs. Where \
         neither is busy all the time, requests/s says how well they were scheduled; CPU a request is the server's \
         alone, and the steadier number.\n\
         Questions follow the recorded popularity sequence where a row does not say otherwise, and each sends the token \
         of some write of the past. Every answer is checked.\n\
         Answers stored in one round are too old in the next, so every turn begins with an empty cache; a service that \
         runs on has more hits.\n"
    );

    let turns: Vec<RefCell<Vec<Turn>>> = rows.iter().map(|_| RefCell::default()).collect();
    let failure = RefCell::new(None);
    let mut candidates: Vec<Box<dyn FnMut() -> f64 + '_>> = Vec::new();
    for ((row, server), turns) in rows.iter().zip(&mut servers).zip(&turns) {
        let (address, node) = server.ready()?;
        let book = &books[row.api as usize];
        let mut callers = runtime.block_on(Callers::connect(*row, book, address, &node))?;
        let (runtime, failure) = (&runtime, &failure);
        candidates.push(Box::new(move || {
            let round = turns.borrow().len();
            if failure.borrow().is_some() {
                return f64::NAN;
            }
            match take_turn(runtime, &mut callers, server, round, turn) {
                Ok(turn) => {
                    turns.borrow_mut().push(turn);
                    turn.per_second()
                }
                Err(error) => {
                    let error = format!("{}, {}: {error}", row.api.setting(), row.name());
                    failure.replace(Some(error.into()));
                    f64::NAN
                }
            }
        }));
    }
    interleaved(rounds, &mut candidates);
    drop(candidates);
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    let turns: Vec<Vec<Turn>> = turns.into_iter().map(RefCell::into_inner).collect();
    table::report(&rows, &turns).finish()?;
    Ok(())
}

fn take_turn(
    runtime: &Runtime,
    callers: &mut Callers,
    server: &mut Server,
    round: usize,
    length: Duration,
) -> Result<Turn, AnyError> {
    callers.begin(round);
    runtime.block_on(callers.ask(Until::Asked(RUN_IN)))?;
    let before = server.done()?;
    let client = ProcessTime::try_now()?;
    let (answers, took) = runtime.block_on(callers.ask(Until::Over(length)))?;
    let client = client.try_elapsed()?;
    let after = server.done()?;
    Ok(Turn::new(answers, took, client, [before, after]))
}
