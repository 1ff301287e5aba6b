//! SpiceDB's gRPC API through the layer, before a small SpiceDB: the contract, rule by rule.

mod adversary;
mod ages;
mod at_head;
mod bad_input;
mod bulk;
mod call;
mod choice;
mod forged;
mod freshness;
mod histories;
mod judge;
mod keys;
mod limits;
mod objects;
mod pass_through;
mod reads;
mod recorded;
mod replicas;
mod reply;
mod server;
mod spelling;
mod spellings;
mod store;
mod stored;
mod trust;
mod writes;
