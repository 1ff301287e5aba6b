//! Which connections there are, and who waits for one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::{Connected, Connecting, Room, Sender};
use super::lease::Lease;
use crate::proxy::connect::ConnectError;
use crate::proxy::limits::{CANCELLED, IDLE, MADE, UNDER_WAY};

pub(super) struct Shared {
    connecting: Connecting,
    /// How many connections there may be.
    most: usize,
    state: Mutex<State>,
}

struct State {
    open: Vec<Open>,
    /// How many are being opened.
    opening: usize,
    waiting: VecDeque<oneshot::Sender<Waited>>,
    next: u64,
    /// How many calls the newest connection takes.
    room: usize,
}

/// A connection that takes calls.
struct Open {
    id: u64,
    sender: Sender,
    room: Room,
    under_way: usize,
    made: usize,
    cancelled: usize,
    used: Instant,
}

type Waited = Result<Lease, Arc<ConnectError>>;

/// A call's place in a connection.
pub(super) enum Taken {
    Now(Lease),
    Later(oneshot::Receiver<Waited>),
}

impl Open {
    fn is_full(&self) -> bool {
        self.under_way >= self.room.get()
    }

    fn is_half_full(&self) -> bool {
        self.under_way > 0 && self.under_way * 2 >= self.room.get()
    }

    fn is_used_up(&self) -> bool {
        self.made >= MADE || self.cancelled >= CANCELLED
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0 && self.used.elapsed() > IDLE
    }
}

impl State {
    fn freest(&mut self) -> Option<&mut Open> {
        self.open.iter_mut().min_by_key(|open| open.under_way)
    }

    /// Makes a call in the freest connection, if one has room.
    fn take(&mut self, shared: &Arc<Shared>) -> Option<Lease> {
        let open = self
            .open
            .iter_mut()
            .filter(|open| !open.is_full())
            .min_by_key(|open| open.under_way)?;
        open.under_way += 1;
        open.made += 1;
        let lease = Lease::new(Arc::clone(shared), open.id, open.sender.clone());
        if open.is_used_up() {
            let id = open.id;
            self.open.retain(|open| open.id != id);
        }
        Some(lease)
    }

    /// Gives places to the calls that wait, as long as there are any.
    fn serve(&mut self, shared: &Arc<Shared>, unwanted: &mut Vec<Waited>) {
        while let Some(waiting) = self.waiting.pop_front() {
            if waiting.is_closed() {
                continue;
            }
            let Some(lease) = self.take(shared) else {
                self.waiting.push_front(waiting);
                return;
            };
            if let Err(left) = waiting.send(Ok(lease)) {
                unwanted.push(left);
            }
        }
    }

    /// Closes what was not used for a while.
    fn close_idle(&mut self) {
        if self.open.len() > 1 && self.open.iter().any(Open::is_idle) {
            let newest = self.open.iter().map(|open| open.used).max();
            self.open.retain(|open| !open.is_idle() || Some(open.used) == newest);
        }
    }
}

impl Shared {
    pub(super) fn new(connecting: Connecting, most: usize) -> Arc<Self> {
        Arc::new(Self {
            connecting,
            most,
            state: Mutex::new(State {
                open: Vec::new(),
                opening: 0,
                waiting: VecDeque::new(),
                next: 0,
                room: UNDER_WAY,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a call, now or when there is room.
    pub(super) fn take(self: &Arc<Self>) -> Taken {
        let mut state = self.state();
        state.close_idle();
        let taken = match state.take(self) {
            Some(lease) => Taken::Now(lease),
            None => {
                let (waiting, later) = oneshot::channel();
                state.waiting.push_back(waiting);
                Taken::Later(later)
            }
        };
        self.open_more(&mut state);
        taken
    }

    /// Opens the connections that are wanted.
    fn open_more(self: &Arc<Self>, state: &mut State) {
        while state.open.len() + state.opening < self.most {
            let is_busy = state.opening == 0 && state.freest().is_some_and(|open| open.is_half_full());
            if !is_busy && state.waiting.len() <= state.opening * state.room {
                return;
            }
            state.opening += 1;
            let shared = Arc::clone(self);
            // Whoever asked for it may leave before it is there, and others wait for it too.
            tokio::spawn(async move {
                let opened = shared.connecting.open().await;
                shared.opened(opened);
            });
        }
    }

    fn opened(self: &Arc<Self>, opened: Result<Connected, ConnectError>) {
        let mut unwanted = Vec::new();
        let mut state = self.state();
        state.opening -= 1;
        match opened {
            Ok(Connected { sender, room, going }) => {
                let id = state.next;
                state.next += 1;
                state.room = room.get().max(1);
                tokio::spawn(going.go_on(Arc::downgrade(self), id));
                state.open.push(Open {
                    id,
                    sender,
                    room,
                    under_way: 0,
                    made: 0,
                    cancelled: 0,
                    used: Instant::now(),
                });
                state.serve(self, &mut unwanted);
                self.open_more(&mut state);
            }
            Err(error) if state.open.is_empty() => {
                let error = Arc::new(error);
                for waiting in state.waiting.drain(..) {
                    unwanted.extend(waiting.send(Err(Arc::clone(&error))).err());
                }
            }
            // Those that wait can still get a place in the others.
            Err(_) => {}
        }
        drop(state);
    }

    /// A call has ended, or was `cancelled`.
    pub(super) fn give_back(self: &Arc<Self>, id: u64, cancelled: bool) {
        let mut unwanted = Vec::new();
        let mut state = self.state();
        if let Some(open) = state.open.iter_mut().find(|open| open.id == id) {
            open.under_way -= 1;
            open.cancelled += usize::from(cancelled);
            open.used = Instant::now();
            if open.is_used_up() {
                state.open.retain(|open| open.id != id);
            }
        }
        state.serve(self, &mut unwanted);
        if !state.waiting.is_empty() {
            self.open_more(&mut state);
        }
        drop(state);
    }

    /// A connection takes no more calls.
    pub(super) fn remove(self: &Arc<Self>, id: u64) {
        let mut state = self.state();
        state.open.retain(|open| open.id != id);
        if !state.waiting.is_empty() {
            self.open_more(&mut state);
        }
    }
}
