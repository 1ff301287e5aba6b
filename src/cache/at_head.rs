//! Stored answers for fully consistent requests.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use crate::cache::DecisionCache;
use crate::cache::decision::Decision;
use crate::cache::fetch::{Fetch, Questions, Turn};
use crate::cache::fingerprint::{Fingerprint, Part};
use crate::cache::flight::End;
use crate::cache::flights::{Entry, Lease};
use crate::cache::landed::Landed;
use crate::cache::purpose::Purpose;
use crate::cache::read_at::ReadAt;
use crate::cache::weigh::Weigh;
use crate::changes::Examined;
use crate::consistency::Freshness;
use crate::knowledge::{ReadMode, Source};
use crate::revision::Revision;

impl<V: Weigh> DecisionCache<V> {
    /// The stored answers to `questions`, if a head read that begins after the request arrived shows that they are true at
    /// head.
    pub(super) async fn prove_at_head<U: Fetch<V>>(
        &self,
        questions: &Questions,
        arrived: Instant,
        upstream: &mut U,
    ) -> Option<Landed<V>> {
        let capabilities = &self.0.capabilities;
        // Where a store reads exactly what it is told, its head is read by a write.
        let is_possible = capabilities.reads_repeat && capabilities.read_mode != ReadMode::Exactly;
        if !self.0.settings.prove_at_head || !is_possible {
            return None;
        }
        let entries: Vec<_> = questions
            .each()
            .iter()
            .map(|question| self.candidate(*question))
            .collect::<Option<_>>()?;
        let head = self.head_since(arrived, questions.credential, upstream).await?;
        let now = Instant::now();
        let mut proven = entries.iter().map(|entry| {
            let holds = entry.epoch == self.0.knowledge.epoch() && now < entry.expires;
            let is_label = entry.label() == Some(&head);
            match holds {
                true if is_label => Some(Arc::clone(entry)),
                true => self.within(entry, &head),
                false => None,
            }
        });
        let first = proven.next()??;
        let rest = proven.collect::<Option<_>>()?;
        self.0.counters.proven(questions.each().len());
        Some(Landed {
            first,
            rest,
            shared: true,
            stored: true,
            asked: ReadAt::Head,
            replied: Some(head),
        })
    }

    /// An entry that may be true at head. Without one for each question, the head read would be wasted.
    fn candidate(&self, question: Fingerprint) -> Option<Arc<Decision<V>>> {
        let knowledge = &self.0.knowledge;
        let entry = self.0.newest.get(question)?;
        let is_over = entry.epoch != knowledge.epoch() || Instant::now() >= entry.expires;
        let may_hold = !is_over && entry.examine(|| knowledge.history()) != Examined::Ended;
        may_hold.then_some(entry)
    }

    /// The head of the store, by a read that begins after `arrived`. All who come before it begins share it.
    async fn head_since<U: Fetch<V>>(&self, arrived: Instant, credential: u64, upstream: &mut U) -> Option<Revision> {
        let question = self
            .0
            .keyer
            .question("head")
            .bytes(Part::Credential, &credential.to_le_bytes());
        let questions = Questions::one(question.finish(), credential);
        match self
            .0
            .flights
            .enter(&questions, ReadAt::Head, &Freshness::Full, arrived)
        {
            Entry::Lead(lease) => {
                let (cache, upstream) = (self.clone(), upstream.clone());
                // It goes on for those who wait when its leader leaves.
                let _ = tokio::spawn(async move { cache.read_head(lease, upstream).await }).await;
            }
            Entry::Follow(follower) => drop(follower.wait().await),
            Entry::Crowded => return None,
        }
        self.0.knowledge.head_since(arrived)
    }

    async fn read_head<U: Fetch<V>>(self, lease: Lease<V>, upstream: U) {
        // Those that are ready now join before it begins.
        tokio::task::yield_now().await;
        let flight = Arc::clone(&lease.flight);
        let turn = Turn {
            ask: ReadAt::Head,
            purpose: Purpose::Probe,
            shared: false,
            counters: Arc::clone(&self.0.counters),
            knowledge: Arc::clone(&self.0.knowledge),
            flight: Arc::clone(&flight),
        };
        let read = timeout(self.0.settings.flight_timeout, upstream.read_head(turn)).await;
        if let (Ok(Some(head)), Some(start)) = (read, flight.start()) {
            self.0.knowledge.learn(&start, &head, Source::Head);
        }
        drop(lease);
        flight.land(End::Unshared);
    }
}
