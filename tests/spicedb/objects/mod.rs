//! Tokens that are remembered per object: replicas without a token between them, before one store of objects' tokens.

mod failures;
mod followed;
mod lookups;
mod model;
mod reads;
mod settings;
mod shared;
mod world;
mod writes;
