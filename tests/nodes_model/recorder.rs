//! A link that notes what is stored.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Entry, Incoming, Link, LinkError, Opened, Pending, Snapshot};

use crate::history::History;

/// What the links of all nodes saw.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) history: History,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) started_from_snapshots: usize,
    pub(crate) broken: Vec<String>,
}

impl Record {
    fn add(&mut self, entry: &Entry) {
        self.broken.extend(self.history.add(entry).err());
    }
}

#[derive(Debug)]
pub(crate) struct Recorder {
    link: Arc<dyn Link>,
    record: Arc<Mutex<Record>>,
}

impl Recorder {
    pub(crate) fn new(link: Arc<dyn Link>, record: Arc<Mutex<Record>>) -> Self {
        Self { link, record }
    }
}

impl Link for Recorder {
    fn group(&self) -> &str {
        self.link.group()
    }

    fn open<'a>(&'a self, node: &'a str, after: &'a VectorClock) -> Pending<'a, Opened> {
        Box::pin(async move {
            let opened = self.link.open(node, after).await?;
            let stream = Recorded {
                stream: opened.incoming,
                record: Arc::clone(&self.record),
            };
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.started_from_snapshots += usize::from(opened.snapshot.is_some());
            Ok(Opened::new(opened.ends, stream).after_snapshot(opened.snapshot))
        })
    }

    fn append<'a>(&'a self, entries: &'a [Entry]) -> Pending<'a, ()> {
        Box::pin(async move {
            self.link.append(entries).await?;
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            entries.iter().for_each(|entry| record.add(entry));
            Ok(())
        })
    }

    fn report<'a>(&'a self, node: &'a str, reached: &'a VectorClock) -> Pending<'a, ()> {
        self.link.report(node, reached)
    }

    fn store_snapshot<'a>(&'a self, snapshot: &'a Snapshot) -> Pending<'a, ()> {
        Box::pin(async move {
            self.link.store_snapshot(snapshot).await?;
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.snapshots.push(snapshot.clone());
            Ok(())
        })
    }
}

struct Recorded {
    stream: Pin<Box<dyn Stream<Item = Result<Incoming, LinkError>> + Send>>,
    record: Arc<Mutex<Record>>,
}

impl Stream for Recorded {
    type Item = Result<Incoming, LinkError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(Incoming::Entry(entry)))) = &next {
            self.record.lock().unwrap_or_else(PoisonError::into_inner).add(entry);
        }
        next
    }
}
