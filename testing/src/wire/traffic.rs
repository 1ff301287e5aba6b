//! Recorded calls, and what happens to each: the same for every system.

use std::sync::Arc;

use crate::frame::is_framed;
use crate::sample::Sample;
use crate::wire::table::{Row, Then};
use crate::wire::{Call, Recording, Session};

/// A system whose traffic was recorded.
pub trait Traffic: Sample {
    /// Lets through what a layer has to see before a call.
    fn prepare(session: &Session<Self>, recording: &Recording, call: &Call) -> impl Future<Output = ()>;
}

/// A recording's name, its engine, and what happens to each of its calls.
pub type Table<S> = (&'static str, S, &'static [Row]);

/// A recorded call, and what happens to it.
#[derive(Clone, Debug)]
pub struct Case<S> {
    /// The recording's name.
    pub name: &'static str,
    pub recording: Recording,
    pub engine: S,
    pub call: Arc<Call>,
    pub then: Then,
}

impl<S: Traffic> Case<S> {
    /// All calls of these recordings.
    pub fn all(recordings: impl IntoIterator<Item = Table<S>>) -> impl Iterator<Item = Self> {
        recordings.into_iter().flat_map(Self::of)
    }

    /// All calls of one recording.
    pub fn of((name, engine, table): Table<S>) -> Vec<Self> {
        let recording = Recording::load(name);
        let cases: Vec<_> = recording.calls.iter().map(|call| &call.case).collect();
        assert!(
            cases.iter().copied().eq(table.iter().map(|row| row.0)),
            "{name}: {cases:?}"
        );
        let case = |(call, row): (&Arc<Call>, &Row)| Self {
            name,
            recording: recording.clone(),
            engine,
            call: Arc::clone(call),
            then: row.on(engine),
        };
        recording.calls.iter().zip(table).map(case).collect()
    }

    /// A session just before the call. A failed test shows the last one.
    pub async fn session(&self) -> Session<S> {
        println!("{}: {}, {:?}", self.name, self.call.case, self.then);
        Session::before(&self.recording, self.engine, &self.call).await
    }
}

/// Asserts that the recordings are complete: their calls are counted, and gRPC calls have a status and whole frames.
pub fn assert_complete<S: Traffic>(recordings: impl IntoIterator<Item = Table<S>>) {
    for (nth, case) in recordings
        .into_iter()
        .flat_map(|one| Case::of(one).into_iter().enumerate())
    {
        let Case { name, call, .. } = case;
        assert_eq!(call.n, nth, "{name}");
        assert_eq!(call.request.method(), "POST");
        if name.contains("grpc") && call.response.reset.is_none() {
            assert!(call.response.trailer("grpc-status").is_some(), "{}", call.case);
            assert!(is_framed(call.response.body()), "{}", call.case);
        }
    }
}
